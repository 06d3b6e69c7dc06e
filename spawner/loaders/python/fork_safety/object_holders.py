"""Which global variable holds an object, directly or through other objects: a connection in the pool of an engine.

Objects are followed as the garbage collector follows them: none is asked for an attribute. Only one whose class has
`fileno` is asked for its descriptor.
"""

import gc
import sys
from collections import deque
from types import CodeType, FunctionType, ModuleType
from typing import Any, Callable, Deque, Dict, FrozenSet, Iterator, List, NamedTuple, Set, Tuple

from ....shared.app_files import AppFiles
from ..core.unpatched import _thread
from . import module_globals
from .fork_hazards import notices_a_fork
from .module_globals import GlobalVariable

_MOST_OBJECTS = 100000
_MOST_IN_ONE = 10000  # larger containers hold data
_MOST_IN_WORKER = 5000  # objects: a worker that follows them makes their pages its own
_NOT_FOLLOWED = (ModuleType, type, FunctionType, CodeType, type(len), type(sys._getframe()), property)
_PLAIN = (str, bytes, bytearray, int, float, complex, type(None))
_CONTAINERS = (dict, list, tuple, set, frozenset)


class Holder(NamedTuple):
    """`libraries`: the top-level modules of the classes on the way from the variable to the object.

    `value`: of the variable; `identity`: of the object that it leads to. `notices_a_fork`: whether every way leads
    through a pool that notices a fork.
    """

    variables: Dict[str, Any]
    file: str
    name: str
    value: Any
    libraries: FrozenSet[str]
    notices_a_fork: bool
    identity: int

    def __str__(self) -> str:
        return str(GlobalVariable(self.file, self.name, module_globals.assigned_at(self.file, self.name)))

    def still_leads_to(self, wanted: Callable[[Any], bool]) -> bool:
        """Whether the variable still leads to an object that is `wanted`; if it is too far to say, it does."""
        search = _Search(_MOST_IN_WORKER)
        search.add(_Root(self.variables, self.file, self.name, self.variables.get(self.name)))
        return any(wanted(step.value) for step in search.objects()) or search.is_cut


class _Root(NamedTuple):
    variables: Dict[str, Any]
    file: str
    name: str
    value: Any


class _Step(NamedTuple):
    value: Any
    root: _Root
    libraries: Tuple[str, ...]


class ObjectHolders:
    """What holds objects with descriptors, and connections to SQLite. The app's own variables come first."""

    def __init__(self, files: AppFiles) -> None:
        self.descriptors: Dict[int, Holder] = {}
        self.databases: Dict[int, Holder] = {}  # by the identity of a connection to SQLite
        sqlite = getattr(sys.modules.get("_sqlite3") or sys.modules.get("sqlite3"), "Connection", ())
        search = _Search(_MOST_OBJECTS)
        roots = list(_roots())
        for of_app in (True, False):
            for root in roots:
                if files.holds(root.file) is of_app:
                    search.add(root)
            self._note(search.objects(), False, sqlite)
        self._note(search.objects_behind_pools(), True, sqlite)

    def _note(self, steps: Iterator["_Step"], behind_pools: bool, sqlite: Any) -> None:
        for value, root, libraries in steps:
            number = descriptor_of(value)
            if number >= 0:
                self.descriptors.setdefault(number, Holder(*root, frozenset(libraries), behind_pools, id(value)))
            elif issubclass(type(value), sqlite):
                self.databases.setdefault(id(value), Holder(*root, frozenset(libraries), behind_pools, id(value)))


class _Search:
    """Follows objects from variables on, the nearest first, and not behind pools that notice a fork."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._seen: Set[int] = set()
        self._next: Deque[_Step] = deque()
        self._pools: List[_Step] = []
        self._stops_at_pools = True
        self.is_cut = False

    def add(self, root: _Root) -> None:
        self._next.append(_Step(root.value, root, ()))

    def objects_behind_pools(self) -> Iterator[_Step]:
        """Yield what nothing but such pools holds."""
        self._stops_at_pools = False
        for step in self._pools:
            self._next.extend(self._behind(step))
        return self.objects()

    def objects(self) -> Iterator[_Step]:
        """Yield each object, once, with the variable and the libraries that lead to it."""
        while self._next:
            step = self._next.popleft()
            value = step.value
            if type(value) in _PLAIN or id(value) in self._seen or issubclass(type(value), _NOT_FOLLOWED):
                continue
            if self._left <= 0:
                self.is_cut = True
                self._next.clear()
                return
            self._left -= 1
            self._seen.add(id(value))
            yield step
            if self._stops_at_pools and notices_a_fork(value):
                self._pools.append(step)
            else:
                self._next.extend(self._behind(step))

    @staticmethod
    def _behind(step: _Step) -> Iterator[_Step]:
        value, root, libraries = step
        if type(value) in _CONTAINERS:
            if len(value) > _MOST_IN_ONE:
                return
        else:
            library = str(type(value).__module__).split(".")[0]
            if library not in libraries:
                libraries = (*libraries, library)
        for referent in _referents(value):
            yield _Step(referent, root, libraries)


def _referents(value: Any) -> List[Any]:
    found = gc.get_referents(value)
    local = getattr(_thread, "_local", None)
    if local is not None and issubclass(type(value), local) and type(value).__init__ is object.__init__:
        found.append(local.__getattribute__(value, "__dict__"))  # this thread's, which the collector does not show
    return found


def _roots() -> Iterator[_Root]:
    for _, variables in module_globals.all_modules():
        file = variables.get("__file__")
        if isinstance(file, str):
            for name, value in list(variables.items()):
                if not name.startswith("__"):
                    yield _Root(variables, file, name, value)


def descriptor_of(value: Any) -> int:
    """Return what `value` gives as its descriptor, -1 for none."""
    if issubclass(type(value), type) or not module_globals.has_method(value, "fileno"):
        return -1
    try:
        number = value.fileno()
    except Exception:  # noqa: BLE001 - any object of the app's
        return -1
    return number if type(number) is int else -1
