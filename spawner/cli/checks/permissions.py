"""Whom things run as: the default user of apps, and whether others can read the packages."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Iterator

from spawner.cli.checks.finding import ERROR, OK, WARNING, Finding

DEFAULT_USER = "nobody"


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
            told = "there is no user %s, the default of PassengerDefaultUser" % DEFAULT_USER
            yield Finding(WARNING, "users", told, "set PassengerDefaultUser, or give each app an owner")
        yield self._packages_are_safe()
        if os.geteuid() != 0:
            told = "these checks run as uid %d and do not see everything" % os.geteuid()
            yield Finding(WARNING, "rights", told, "run them with sudo")

    def _packages_are_safe(self) -> Finding:
        for name in ("", "spawner", "spawner/shared", "spawner/loaders", "spawner/loaders/python"):
            folder = self._packages / name
            status = folder.stat()
            if status.st_mode & 0o002:
                told = "everybody may write to %s, which the spawner runs as root" % folder
                return Finding(ERROR, "packages' rights", told, "chmod o-w %s" % folder)
        return Finding(OK, "packages' rights", "%s is not writable for others" % self._packages)
