"""Cgroups of the second version (cgroups(7)): a process can leave its own neither by forking nor by a new session."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
from pathlib import Path
from typing import Iterator, Optional

from spawner.errors import OperatorError

_PROCESSES = "cgroup.procs"
_OFFERED = "cgroup.controllers"
_ENABLED = "cgroup.subtree_control"
_TYPE = "cgroup.type"  # only the root has none
_LEAF = "httpd"  # the cgroup for httpd itself, where one that has processes may have no controllers for others
_SYSTEMD = "/run/systemd/system"  # exists where systemd runs (sd_booted(3))
_UNITS = (".service", ".scope", ".slice")
_MOST_ROUNDS = 10  # of moving httpd's processes, which may fork meanwhile
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
    base = own.parent if own.suffix not in _UNITS and is_delegated(own.parent) else own
    folder = base / ("jumpseat-" + instance)
    try:
        folder.mkdir(exist_ok=True)
        _remove_stale(base)
        return folder if os.access(folder / _PROCESSES, os.W_OK) else None
    except OSError:
        return None


def _remove_stale(own: Path) -> None:
    """Remove the cgroups of instances whose httpd and spawner were both killed. Nothing is in them any more."""
    for folder in own.glob("jumpseat-httpd-*"):
        if not os.path.exists("/proc/" + folder.name.split("-")[2]):
            with contextlib.suppress(OSError):  # its spawner may be about to do the same
                for each in [*folder.glob("*/*/"), *folder.glob("*/"), folder]:
                    Cgroup(each).remove()


def is_delegated(folder: Path) -> bool:
    """Whether systemd leaves a cgroup, and all that is below it, to us (Delegate=, systemd.resource-control(5))."""
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(folder, name) == b"1":
                return True
    return False


class NoController(OperatorError):
    """A controller cannot be used; the message says why."""


def enable_controller(name: str, folder: Path) -> None:
    """Have the cgroups below the one of an instance get a controller: memory, pids or cpu.

    If httpd's own processes are in the way and the cgroup is delegated to httpd, they move to one below it.

    :param folder: of the instance.
    :raises NoController: it cannot be used; the message says why.
    """
    base = folder.parent
    if name not in _words(base / _OFFERED):
        offered = " ".join(_words(base / _OFFERED)) or "none"
        text = "there is no controller %r for Apache's cgroup (%s has: %s)"
        raise NoController(text % (name, base / _OFFERED, offered))
    try:
        if name not in _words(base / _ENABLED):
            _make_room(base)
            (base / _ENABLED).write_text("+" + name)
        (folder / _ENABLED).write_text("+" + name)
    except OSError as error:
        text = "the controller %r cannot be enabled in %s: %s"
        raise NoController(text % (name, error.filename or base, error.strerror or error)) from error


def _make_room(base: Path) -> None:
    """See to it that a cgroup may have controllers for those below it. If it has processes, and is not the root, then
    it may have either no controllers or, with those for threads, no more processes in the cgroups below it.

    :raises NoController: it is not ours.
    :raises OSError: the kernel refuses.
    """
    is_ours = is_delegated(base)
    if not is_ours and os.path.exists(_SYSTEMD) and not os.path.ismount(base):
        raise NoController("systemd has not delegated the cgroup %s to Apache" % base)
    if (base / _TYPE).exists() and _words(base / _PROCESSES):
        if not is_ours:
            text = "Apache's own processes are in the cgroup %s, and it is not delegated to Apache"
            raise NoController(text % base)
        _move_processes(base, base / _LEAF)


def _move_processes(base: Path, leaf: Path) -> None:
    """Move all processes of a cgroup to one below it.

    :raises OSError: that is not possible.
    """
    leaf.mkdir(exist_ok=True)
    for _ in range(_MOST_ROUNDS):
        pids = _words(base / _PROCESSES)
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (leaf / _PROCESSES).write_text(pid)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(base))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []


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
        """The one below `parent`, at any depth, that a process is in, if it is in one."""
        _, separator, inside = (_path_of(pid) or "/").partition("/%s/" % parent.name)
        folder = parent / inside
        return cls(folder) if separator and inside and folder.is_dir() else None

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """This process is in it within the block: what it forks there stays in it.

        :raises OSError: it cannot be joined.
        """
        home = own_cgroup()
        if home is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "the own cgroup")
        (self.folder / _PROCESSES).write_text("0")
        try:
            yield
        finally:
            (home / _PROCESSES).write_text("0")

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
