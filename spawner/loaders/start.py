"""The program of every hosted app's process: `<python> <folder>/start.py <descriptor> <title>`.

Imports the loader under a private name, removes every trace of it (sys.path, sys.modules, os.environ) that an app
could import or trip over, and hands over. sys.argv stays: apps that exec their own virtual environment's interpreter
with it (`os.execl(python, python, *sys.argv)`) come here again.
"""

import os
import sys

_PACKAGE = "_jumpseat_loader"


def main() -> None:
    """Become the preloader on the control line whose descriptor is the first argument. Does not return."""
    descriptor = int(sys.argv[1])
    folder = os.path.dirname(os.path.abspath(__file__))
    _leave_sys_path(folder)
    loader = _import_privately(folder)
    _leave_no_trace(folder)
    loader.run(descriptor)


def _leave_sys_path(folder: str) -> None:
    """Remove what Python put first: else our `wire` or `input` would be found before the app's."""
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or os.getcwd()) != os.path.realpath(folder)]


def _import_privately(folder: str):  # type: ignore[no-untyped-def]  # a module with run(descriptor)
    from importlib import import_module
    from importlib.util import module_from_spec, spec_from_file_location

    initial = os.path.join(folder, "__init__.py")
    spec = spec_from_file_location(_PACKAGE, initial, submodule_search_locations=[folder])
    assert spec is not None  # a file's name was given
    assert spec.loader is not None
    package = module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    spec.loader.exec_module(package)
    return import_module(_PACKAGE + ".preloader")


def _leave_no_trace(folder: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == _PACKAGE]:
        del sys.modules[name]
    for path in [path for path in sys.path_importer_cache if os.path.realpath(path) == os.path.realpath(folder)]:
        del sys.path_importer_cache[path]
    for variable in [variable for variable in os.environ if variable.startswith("JUMPSEAT_")]:
        del os.environ[variable]
    sys.modules["__main__"] = type(sys)("__main__")


if __name__ == "__main__":
    main()
