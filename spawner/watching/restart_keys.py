"""What tells one release of an app from the next: facts about its restart file and its root, and when they differ."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Optional

from spawner.system.paths import PathFact, walk


@dataclass(frozen=True)
class FileFacts:
    """What identifies one write of a file; whole seconds would lose a second touch within one."""

    device: int
    inode: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True)
class RestartKey:
    """How an app's restart file and root stand.

    :ivar root: the app root's real path; empty where there is none. A release is switched by its symbolic link.
    :ivar file: None while there is no restart file.
    """

    root: str
    file: Optional[FileFacts]

    def calls_for_restart(self, newer: "RestartKey") -> bool:
        """Whether what is seen now is a restart asked for since.

        A restart file that is created or touched (to an older time as well) is one, that goes is none; neither is an
        app root that is gone for the moment.
        """
        if newer.root and newer.root != self.root:
            return True
        return newer.file is not None and newer.file != self.file

    def to_text(self) -> str:
        """As text, for the descriptor store."""
        file = self.file
        numbers = (file.device, file.inode, file.mtime_ns, file.ctime_ns) if file is not None else ()
        return " ".join(map(str, numbers)) + " " + self.root

    @classmethod
    def from_text(cls, text: str) -> "Optional[RestartKey]":
        """What `to_text` made; None for anything else."""
        numbers, _, root = text.partition("/")
        try:
            values = [int(number) for number in numbers.split()]
        except ValueError:
            return None
        if len(values) not in (0, 4):
            return None
        return cls("/" + root if root or text.endswith("/") else "", FileFacts(*values) if values else None)


def restart_file(app_root: str, restart_dir: str) -> str:
    """The restart file's path: PassengerRestartDir is absolute or below the app root."""
    return os.path.join(app_root, restart_dir, "restart.txt")


def always_restart_file(app_root: str, restart_dir: str) -> str:
    """The path of the file beside it that has each request served by a new process."""
    return os.path.join(app_root, restart_dir, "always_restart.txt")


def look(app_root: str, restart_dir: str) -> RestartKey:
    """Look how things stand; never raises for what is missing."""
    try:
        status = os.stat(restart_file(app_root, restart_dir))
    except OSError:
        file = None
    else:
        file = FileFacts(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
    return RestartKey(_real_folder(app_root), file)


def _real_folder(path: str) -> str:
    """The path without symbolic links; empty where there is no such folder, or more links than the kernel follows."""
    try:
        real = walk("/", path, [], links_only=True)
    except OSError:
        return ""
    return real if os.path.isdir(real) else ""


def folders_to_watch(app_root: str, restart_dir: str) -> list[str]:
    """The folders whose entries matter: that of the restart file (or the nearest above that exists), and those of
    every symbolic link on the way to the app root."""
    folders = [_existing(os.path.dirname(restart_file(app_root, restart_dir)))]
    links: list[PathFact] = []
    try:
        walk("/", app_root, links, links_only=True)
    except OSError:  # a part is missing: its nearest folder will show when it comes
        folders.append(_existing(app_root))
    folders += [os.path.dirname(link.path) for link in links]
    return list(dict.fromkeys(folders))


def _existing(folder: str) -> str:
    while folder != "/" and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
