"""Random numbers after a fork: every worker is to draw its own (docs/preloading.md)."""

import sys
from typing import Any, Callable, Iterator, List, Tuple

from ....shared.app_files import AppFiles
from ..core.unpatched import os
from . import module_globals
from .fork_hazards import Hazard, hazard
from .import_tracer import ImportTracer
from .module_globals import GlobalVariable

_EXTENSION_ENDINGS = (".so", ".pyd")
# By module, the classes whose objects each worker would have a copy of.
_GENERATORS = (
    ("random", ("Random",)),
    ("numpy.random", ("Generator", "RandomState", "BitGenerator")),
    ("torch", ("Generator",)),
)


class RandomState:
    """What each fork has to seed again. Created in the preloader, when the app has loaded."""

    def __init__(self) -> None:
        self._seeders: List[Callable[[], Any]] = list(_python_seeders()) + list(_libc_seeders())

    def reseed(self) -> None:
        """Seed everything from the system's own random numbers. Each fork calls it."""
        for seed in self._seeders:
            try:
                seed()
            except Exception:  # nosec B110  # noqa: BLE001 - the app's libraries; a worker with the numbers of others still serves
                pass


def _python_seeders() -> Iterator[Callable[[], Any]]:
    """Python itself reseeds `random` since 3.7; nobody reseeds the others."""
    random = sys.modules.get("random")
    if random is not None:
        yield random.seed
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        yield numpy_random.seed
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "seed"):
        yield torch.seed
    uuid_utils = sys.modules.get("uuid_utils")
    if uuid_utils is not None and hasattr(uuid_utils, "reseed_rng"):
        yield uuid_utils.reseed_rng


def _libc_seeders() -> Iterator[Callable[[], Any]]:
    """rand(), random() and drand48() of the C library, where there is foreign C code that may draw from them."""
    if not _has_foreign_code():
        return
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        calls = [(libc.srand, ctypes.c_uint), (libc.srandom, ctypes.c_uint), (libc.srand48, ctypes.c_long)]
    except (ImportError, OSError, AttributeError):
        return
    for function, kind in calls:
        function.argtypes = [kind]
        function.restype = None
        yield _seeding(function)


def _seeding(function: Callable[[int], Any]) -> Callable[[], Any]:
    return lambda: function(int.from_bytes(os.urandom(4), "little") >> 1)


def _has_foreign_code() -> bool:
    """Whether a module was loaded that is compiled and no part of Python, or one that calls C itself."""
    if "_ctypes" in sys.modules or "_cffi_backend" in sys.modules:
        return True
    own = os.path.dirname(os.__file__)
    for _, variables in module_globals.all_modules():
        file = variables.get("__file__")
        if isinstance(file, str) and file.endswith(_EXTENSION_ENDINGS):
            if not file.startswith(own) or "site-packages" in file or "dist-packages" in file:
                return True
    return False


def hazards(_: ImportTracer, files: AppFiles) -> Iterator[Hazard]:
    """Yield each generator in the app's globals: a fork copies it, and all workers draw the same numbers."""
    kinds = tuple(_kinds())
    unshared = getattr(sys.modules.get("random"), "SystemRandom", ())

    def repeats(value: Any) -> bool:
        return issubclass(type(value), kinds) and not issubclass(type(value), unshared)

    for variable, value, is_so in module_globals.find_all(repeats, files.holds) if kinds else ():
        yield hazard("random", variable.name, _text(variable, type(value)), "random-numbers", is_so)


def _text(variable: GlobalVariable, kind: type) -> str:
    what = "the random generator {} ({}.{}) was created during the import. All workers draw the same numbers from it. "
    return what.format(variable, kind.__module__, kind.__qualname__) + "To avoid that, create it in after_fork()."


def _kinds() -> Iterator[type]:
    for module_name, names in _GENERATORS:
        variables: Tuple[Any, ...] = tuple(
            getattr(sys.modules[module_name], name, None) for name in names if module_name in sys.modules
        )
        for kind in variables:
            if isinstance(kind, type):
                yield kind
