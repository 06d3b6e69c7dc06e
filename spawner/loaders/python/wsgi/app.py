"""The hosted app: loads its entry file, and calls the hooks that the file may define."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from types import CodeType, ModuleType
from typing import Any, Callable, Optional

from ....shared import start_steps
from ..core.loader_errors import LoadFailure
from ..core.unpatched import os
from ..diagnostics import error_log

# Of the entry file, whatever that is called: named after the file it would hide a package of the app, as shop.wsgi does
# that imports shop.web. The same as with Passenger.
_MODULE_NAME = "passenger_wsgi"


class App:
    """A loaded app: `application` as PEP 3333 has it, and the entry file's hooks."""

    def __init__(self, module: ModuleType, application: Callable[..., Any]) -> None:
        self.application = application
        self._module = module

    def after_fork(self) -> None:
        """Run the app's after_fork(), if it has one: a worker has just been forked. Raises what the hook raises."""
        self._call_hook("after_fork")

    def before_exit(self) -> None:
        """Run the app's before_exit(), if it has one: the worker is about to end. Raises what the hook raises."""
        self._call_hook("before_exit")

    def out_of_band_work(self) -> bool:
        """Run the app's out_of_band_work(), if it has one; say whether it has. Raises what the hook raises."""
        return self._call_hook("out_of_band_work")

    def _call_hook(self, name: str) -> bool:
        hook = getattr(self._module, name, None)
        if not callable(hook):
            return False
        hook()
        return True


def load_app(app_root: str, startup_file: str) -> App:
    """Load `startup_file`, relative to `app_root`, which becomes sys.path[0] with its links resolved.

    The entry file is compiled from its source each time: a cached one is told apart by whole seconds and size only,
    and two releases may be alike in both. Raises LoadFailure.
    """
    root = os.path.realpath(app_root)
    sys.path.insert(0, root)
    path = os.path.join(root, startup_file)
    loader = SourceFileLoader(_MODULE_NAME, path)
    code = _compile(_read(loader, path), path)
    module = _new_module(path, loader)
    _run(code, module)
    return App(module, _application(module, path))


def _read(loader: SourceFileLoader, path: str) -> bytes:
    try:
        return loader.get_data(path)
    except OSError as error:
        what = "the entry file {} cannot be read: {}".format(path, error.strerror)
        raise LoadFailure(start_steps.READ, what) from error


def _compile(source: bytes, path: str) -> CodeType:
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise LoadFailure(start_steps.COMPILE, error_log.summary(error), error_log.app_traceback(error)) from error
    return code


def _new_module(path: str, loader: SourceFileLoader) -> ModuleType:
    """Return the registered, empty module: pickle and annotations look classes up by the module's name."""
    spec = spec_from_file_location(_MODULE_NAME, path, loader=loader)
    assert spec is not None  # nosec B101  # a loader was given
    module = module_from_spec(spec)
    sys.modules[_MODULE_NAME] = module
    return module


def _run(code: CodeType, module: ModuleType) -> None:
    try:
        exec(code, module.__dict__)  # nosec B102  # the app itself, as its user
    except SystemExit as error:
        what = "the app exits while it is loaded: SystemExit({!r})".format(error.code)
        raise LoadFailure(start_steps.IMPORT, what, error_log.app_traceback(error)) from error
    except BaseException as error:
        raise LoadFailure(start_steps.IMPORT, error_log.summary(error), error_log.app_traceback(error)) from error


def _application(module: ModuleType, path: str) -> Callable[..., Any]:
    application: Optional[Any] = getattr(module, "application", None)
    if callable(application):
        return application  # type: ignore[no-any-return]
    if application is None:
        what = "{} defines no 'application'".format(path)
    else:
        what = "'application' in {} is not callable: it is of type {}".format(path, type(application).__name__)
    raise LoadFailure(start_steps.FIND, what)
