"""What triggers a restart of an app: its restart file, and the real path of its root, which a new release changes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Optional

from spawner.system.paths import PathComponent, resolve


@dataclass(frozen=True)
class FileVersion:
    """What identifies one write of a file. Whole seconds would miss a second touch within one.

    The time of the last change of its inode is left out: a new owner, mode or hard link is no deploy.
    """

    device: int
    inode: int
    mtime_ns: int
    size: int


@dataclass(frozen=True)
class RestartTrigger:
    """The state of an app's restart file and root.

    :ivar root: the real path of the app root, which changes with its symbolic link; empty: there is no such folder.
    :ivar file: None: there is no restart file.
    """

    root: str
    file: Optional[FileVersion]

    def is_fired_by(self, newer: "RestartTrigger") -> bool:
        """Whether a later state means that a restart was asked for since.

        A restart file that is created or touched (also to an older time) means one. A restart file or app root that
        disappears does not.
        """
        if newer.root and newer.root != self.root:
            return True
        return newer.file is not None and newer.file != self.file

    def to_text(self) -> str:
        """As text, for the descriptor store."""
        file = self.file
        numbers = (file.device, file.inode, file.mtime_ns, file.size) if file is not None else ()
        return " ".join(map(str, numbers)) + " " + self.root

    @classmethod
    def from_text(cls, text: str) -> "Optional[RestartTrigger]":
        """What `to_text` has written; None for anything else."""
        numbers, _, root = text.partition("/")
        try:
            values = [int(number) for number in numbers.split()]
        except ValueError:
            return None
        if len(values) not in (0, 4):
            return None
        return cls("/" + root if root or text.endswith("/") else "", FileVersion(*values) if values else None)


def restart_file(app_root: str, restart_dir: str) -> str:
    """The path of an app's restart file.

    :param restart_dir: PassengerRestartDir, absolute or below the app root.
    """
    return os.path.join(app_root, restart_dir, "restart.txt")


def always_restart_file(app_root: str, restart_dir: str) -> str:
    """The path of the file beside it that has each request served by a new process."""
    return os.path.join(app_root, restart_dir, "always_restart.txt")


def read_trigger(app_root: str, restart_dir: str) -> RestartTrigger:
    """The present state; files that are missing raise no error."""
    try:
        status = os.stat(restart_file(app_root, restart_dir))
    except OSError:
        file = None
    else:
        file = FileVersion(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
    return RestartTrigger(_real_folder(app_root), file)


def _real_folder(path: str) -> str:
    """The path without symbolic links; empty if there is no such folder, or more links than the kernel follows."""
    try:
        real = resolve("/", path, [], links_only=True)
    except OSError:
        return ""
    return real if os.path.isdir(real) else ""


def folders_to_watch(app_root: str, restart_dir: str) -> list[str]:
    """The folders in which a change may fire the trigger: that of the restart file (or the nearest one above that
    exists), and those of every symbolic link on the path of the app root.
    """
    folders = [_nearest_existing(os.path.dirname(restart_file(app_root, restart_dir)))]
    links: list[PathComponent] = []
    try:
        resolve("/", app_root, links, links_only=True)
    except OSError:  # a part is missing: a change in the nearest folder will show that it has come
        folders.append(_nearest_existing(app_root))
    folders += [os.path.dirname(link.path) for link in links]
    return list(dict.fromkeys(folders))


def _nearest_existing(folder: str) -> str:
    while folder != "/" and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
