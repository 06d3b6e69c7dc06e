"""The program of every process that is no Python app's: `<python3> <folder>/loaders/program/start.py <fd> <title>`.

Imports the loader under the name of a package that holds `loaders` and `shared`, as the folder of the instance does,
and hands over. Nothing of an app runs in this interpreter: it is replaced by the app's program.
"""

import os
import sys
from importlib import import_module

_ROOT = "_jumpseat_loader"


def main() -> None:
    """Start a program on the control line whose descriptor is the first argument. Does not return."""
    own_folder = os.path.dirname(os.path.abspath(__file__))
    if sys.path[:1] == [own_folder]:
        del sys.path[0]  # its modules are those of a package
    root = type(sys)(_ROOT)
    root.__path__ = [os.path.dirname(os.path.dirname(own_folder))]
    sys.modules[_ROOT] = root
    import_module(_ROOT + ".loaders.program.launch").run(int(sys.argv[1]))


if __name__ == "__main__":
    main()
