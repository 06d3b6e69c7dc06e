"""The program of every hosted Python app's process: `<python> <folder>/loaders/python/start.py <descriptor> <title>`.

Imports the loader under a private name, removes every trace of it (sys.path, sys.modules, os.environ) that an app
could import or trip over, and hands over. sys.argv stays: apps that exec their own virtual environment's interpreter
with it (`os.execl(python, python, *sys.argv)`) come here again.
"""

import os
import sys

_ROOT = "_jumpseat_loader"  # the package that holds `loaders` and `shared`, as the folder of the instance does


def main() -> None:
    """Become the preloader on the control line whose descriptor is the first argument. Does not return."""
    descriptor = int(sys.argv[1])
    own_folder = os.path.dirname(os.path.abspath(__file__))
    root_folder = os.path.dirname(os.path.dirname(own_folder))
    _leave_sys_path(own_folder)
    loader = _import_privately(root_folder)
    _leave_no_trace(root_folder)
    loader.run(descriptor)


def _leave_sys_path(folder: str) -> None:
    """Remove what Python put first: else our modules would be found before the app's of the same names."""
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or os.getcwd()) != os.path.realpath(folder)]


def _import_privately(folder: str):  # type: ignore[no-untyped-def]  # a module with run(descriptor)
    from importlib import import_module

    root = type(sys)(_ROOT)
    root.__path__ = [folder]
    sys.modules[_ROOT] = root
    return import_module(_ROOT + ".loaders.python.preloader")


def _leave_no_trace(folder: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == _ROOT]:
        del sys.modules[name]
    ours = os.path.join(os.path.realpath(folder), "")
    for path in list(sys.path_importer_cache):
        if os.path.join(os.path.realpath(path), "").startswith(ours):
            del sys.path_importer_cache[path]
    for variable in [variable for variable in os.environ if variable.startswith("JUMPSEAT_")]:
        del os.environ[variable]
    sys.modules["__main__"] = type(sys)("__main__")


if __name__ == "__main__":
    main()
