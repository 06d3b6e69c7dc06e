"""The interpreter that the spawner runs in, and the packages that it needs."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import sysconfig
from typing import Iterator

from spawner.cli.checks.finding import ERROR, OK, WARNING, Finding

_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Packages:
    """Python and what is installed for it."""

    def run(self) -> Iterator[Finding]:
        """Version, shared library, and each package."""
        version = "Python %d.%d.%d, %s" % (*sys.version_info[:3], sys.executable)
        if sys.version_info < (3, 11):
            yield Finding(ERROR, "interpreter", version, "the server needs Python 3.11: make install PYTHON=...")
        elif not sysconfig.get_config_var("Py_ENABLE_SHARED"):
            told = "%s has no shared libpython, which the module needs" % version
            yield Finding(ERROR, "interpreter", told, "use the system's python3, or one built with --enable-shared")
        else:
            yield Finding(OK, "interpreter", version)
        yield from self._packages()

    @staticmethod
    def _packages() -> Iterator[Finding]:
        try:
            needed = importlib.metadata.requires("jumpseat") or []
        except importlib.metadata.PackageNotFoundError:
            yield Finding(WARNING, "packages", "jumpseat is not installed for this interpreter", "make install")
            return
        names = [_NAME.match(line) for line in needed if "extra ==" not in line]
        missing = [name.group() for name in names if name is not None and not _is_installed(name.group())]
        if missing:
            remedy = "%s -m pip install %s" % (sys.executable, " ".join(missing))
            yield Finding(ERROR, "packages", "missing: %s" % ", ".join(missing), remedy)
        else:
            yield Finding(OK, "packages", "%d packages are there" % len(names))


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
