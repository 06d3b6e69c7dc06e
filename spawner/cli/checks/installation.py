"""The installation itself: the interpreter, its packages, and who may change them."""

from __future__ import annotations

import importlib.metadata
import os
import pwd
import re
import sys
import sysconfig
from pathlib import Path
from typing import Iterator

from spawner.cli.checks.findings import ERROR, OK, WARNING, Finding
from spawner.options import ServerOptions

DEFAULT_USER = ServerOptions.default_user
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Packages:
    """Python and what is installed for it."""

    def run(self) -> Iterator[Finding]:
        """Version, shared library, and each package."""
        version = "Python %d.%d.%d, %s" % (*sys.version_info[:3], sys.executable)
        if sys.version_info < (3, 11):
            yield Finding(ERROR, "interpreter", version, "the server needs Python 3.11: make install PYTHON=...")
        elif not sysconfig.get_config_var("Py_ENABLE_SHARED"):
            text = "%s has no shared libpython, which the module needs" % version
            yield Finding(ERROR, "interpreter", text, "use the system's python3, or one built with --enable-shared")
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


class Permissions:
    """Users, and the rights of what is installed.

    :param packages: the folder of the server's Python packages.
    """

    def __init__(self, packages: Path) -> None:
        self._packages = packages

    def run(self) -> Iterator[Finding]:
        """PassengerDefaultUser's default, the owner of the packages, and who asks."""
        try:
            pwd.getpwnam(DEFAULT_USER)
            yield Finding(OK, "users", "there is a user %s for apps that have no owner of their own" % DEFAULT_USER)
        except KeyError:
            text = "there is no user %s, the default of PassengerDefaultUser" % DEFAULT_USER
            yield Finding(WARNING, "users", text, "set PassengerDefaultUser, or give each app an owner")
        yield self._packages_are_safe()
        if os.geteuid() != 0:
            text = "these checks run as uid %d and cannot see everything" % os.geteuid()
            yield Finding(WARNING, "rights", text, "run them with sudo")

    def _packages_are_safe(self) -> Finding:
        for name in ("", "spawner", "spawner/shared", "spawner/loaders", "spawner/loaders/python"):
            folder = self._packages / name
            status = folder.stat()
            if status.st_mode & 0o002:
                text = "everybody may write to %s, which the spawner runs as root" % folder
                return Finding(ERROR, "packages' rights", text, "chmod o-w %s" % folder)
        return Finding(OK, "packages' rights", "%s is not writable for other users" % self._packages)
