"""What the spawner reads and writes: the registry folder and spawner.conf."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Iterator, Sequence

from spawner import spawner_conf
from spawner.cli.checks.findings import ERROR, OK, WARNING, Finding

_REMEDY = "chown root: and chmod go-w it (or chmod +t), or set PassengerInstanceRegistryDir to another folder"


class RegistryFolders:
    """Where instances are: nobody but root may be able to replace what is in there.

    :param folders: those that are looked at; the first is the one that is used where Apache is started as root.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folder = folders[0]

    def run(self) -> Iterator[Finding]:
        """Owner and mode, or whether it can be made."""
        folder = self._folder
        try:
            status = os.lstat(folder)
        except FileNotFoundError:
            yield self._absent()
            return
        except OSError as error:
            yield Finding(ERROR, "registry folder", "%s: %s" % (folder, error.strerror), _REMEDY)
            return
        if not stat.S_ISDIR(status.st_mode):
            yield Finding(ERROR, "registry folder", "%s is not a folder" % folder, "remove it, or choose another")
        elif status.st_uid not in (0, os.geteuid()) or _can_others_rename(status.st_mode):
            text = "%s belongs to uid %d, mode %03o: other users may change what is in it"
            values = (folder, status.st_uid, stat.S_IMODE(status.st_mode))
            yield Finding(ERROR, "registry folder", text % values, _REMEDY)
        else:
            yield Finding(OK, "registry folder", str(folder))

    def _absent(self) -> Finding:
        parent = self._folder.parent
        if parent.is_dir():
            return Finding(OK, "registry folder", "%s is made when Apache starts" % self._folder)
        text = "%s cannot be made: there is no %s" % (self._folder, parent)
        return Finding(ERROR, "registry folder", text, "make %s, or set PassengerInstanceRegistryDir" % parent)


def _can_others_rename(mode: int) -> bool:
    return bool(mode & 0o022) and not mode & stat.S_ISVTX


class SpawnerConfiguration:
    """spawner.conf.

    :param path: where it is.
    :param needed: whether it has to be there.
    """

    def __init__(self, path: Path, needed: bool = False) -> None:
        self._path = path
        self._needed = needed

    def run(self) -> Iterator[Finding]:
        """Whether the spawner can read it."""
        if not self._path.exists() and self._needed:
            text = "there is no %s" % self._path
            yield Finding(ERROR, "spawner.conf", text, "give the path that PassengerSpawnerConfigFile names")
            return
        if not self._path.exists():
            yield Finding(OK, "spawner.conf", "there is none: every setting has its default")
            return
        try:
            spawner_conf.load(str(self._path))
        except spawner_conf.SpawnerConfError as error:
            text = " / ".join(str(error).splitlines())
            yield Finding(ERROR, "spawner.conf", text, "correct it: the spawner does not start with it")
            return
        if os.stat(self._path).st_mode & 0o022:
            text = "other users than its owner may write to it"
            yield Finding(WARNING, "spawner.conf", text, "chmod go-w %s" % self._path)
        else:
            yield Finding(OK, "spawner.conf", str(self._path))
