"""Whose a source file is: the app's own, its libraries', or ours."""

import os
import sys

_OF_LIBRARIES = ("site-packages", "dist-packages", "node_modules")
_OUR_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


def is_ours(path: str) -> bool:
    """Whether `path` is a file of the loader or of what it shares with the spawner: of no interest to an app."""
    return path.startswith(_OUR_FOLDER)


class AppFiles:
    """The files below an app root, without those of a virtual environment in it."""

    def __init__(self, app_root: str) -> None:
        self._root = os.path.join(os.path.realpath(app_root), "")
        self._environments = tuple(
            os.path.join(prefix, "") for prefix in (sys.prefix, sys.exec_prefix) if prefix.startswith(self._root)
        )

    def holds(self, path: str) -> bool:
        """Whether `path`, absolute as a module's `__file__` is, is the app's own."""
        if not path.startswith(self._root) or path.startswith(self._environments):
            return False
        return not any(part in _OF_LIBRARIES for part in path[len(self._root) :].split(os.sep))
