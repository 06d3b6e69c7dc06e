"""Cgroups of the second version (cgroups(7)): a process can leave its own neither by forking nor by a new session."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from pathlib import Path
from typing import Iterator, Optional

_PROCESSES = "cgroup.procs"
_numbers = itertools.count(1)


def own_cgroup() -> Optional[Path]:
    """The folder of this process's cgroup; None where the machine has no such cgroups or does not show them."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    path = _path_of(os.getpid())
    mount = next((line.split() for line in mounts if " - cgroup2 " in line), None)
    if path is None or mount is None:
        return None
    root, point = mount[3], mount[4]
    inside = os.path.relpath(path, root)
    return None if inside.startswith("..") else Path(point) / inside


def _path_of(pid: int) -> Optional[str]:
    """The path of a process's cgroup as /proc has it; None if it has none of the second version."""
    try:
        lines = Path("/proc/%d/cgroup" % pid).read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    return next((line[3:] for line in lines if line.startswith("0::/")), None)


def make_folder(instance: str) -> Optional[Path]:
    """Make the cgroup of an instance below this process's own, or find it; those of instances that have gone, go.

    :param instance: the instance's name: `httpd-<pid>`, and maybe more behind another `-`.
    :returns: None where that is not possible: no such cgroups, no rights, a file system that is read-only.
    """
    own = own_cgroup()
    if own is None:
        return None
    folder = own / ("jumpseat-" + instance)
    try:
        folder.mkdir(exist_ok=True)
        _remove_stale(own)
        return folder if os.access(folder / _PROCESSES, os.W_OK) else None
    except OSError:
        return None


def _remove_stale(own: Path) -> None:
    """Remove the cgroups of instances whose httpd and spawner were both killed. Nothing is in them any more."""
    for folder in own.glob("jumpseat-httpd-*"):
        if not os.path.exists("/proc/" + folder.name.split("-")[2]):
            with contextlib.suppress(OSError):  # its spawner may be about to do the same
                for each in [*folder.glob("*/"), folder]:
                    Cgroup(each).remove()


class Cgroup:
    """One cgroup.

    :param folder: it exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def make(cls, parent: Path) -> Cgroup:
        """Make one below another.

        :raises OSError: it cannot be made.
        """
        while True:
            folder = parent / ("%d-%d" % (os.getpid(), next(_numbers)))
            try:
                folder.mkdir()
                return cls(folder)
            except FileExistsError:  # of an earlier spawner that had the same pid
                continue

    @classmethod
    def of_process(cls, pid: int, parent: Path) -> Optional[Cgroup]:
        """The one below `parent` that a process is in, if it is in one."""
        path = Path(_path_of(pid) or "/")
        folder = parent / path.name
        return cls(folder) if path.parent.name == parent.name and folder.is_dir() else None

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """This process is in it within the block: what it forks there stays in it.

        :raises OSError: it cannot be joined.
        """
        (self.folder / _PROCESSES).write_text("0")
        try:
            yield
        finally:
            (self.folder.parent.parent / _PROCESSES).write_text("0")

    def pids(self) -> list[int]:
        """The processes that are in it, as far as this process can see them."""
        try:
            return [int(pid) for pid in (self.folder / _PROCESSES).read_text().split() if pid != "0"]
        except OSError:
            return []

    def kill(self) -> None:
        """SIGKILL everything in it; nothing can fork out of this."""
        try:
            (self.folder / "cgroup.kill").write_text("1")
        except OSError:  # a kernel before 5.14
            with contextlib.suppress(OSError):
                (self.folder / "cgroup.freeze").write_text("1")
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def remove(self) -> bool:
        """Remove it if it is empty.

        :returns: whether it is gone.
        """
        try:
            self.folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
