"""Linux calls that Python's standard library does not wrap: prctl, pidfds, /proc, file system users, credentials."""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import termios
import time
from dataclasses import dataclass
from typing import Iterator, Optional

# What a call reports when this process or the machine has no descriptor left.
DESCRIPTOR_ERRORS = frozenset([errno.EMFILE, errno.ENFILE])
_UCRED = struct.Struct("iII")  # pid, uid, gid (unix(7))
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
# The kernel's setgroups concerns the calling thread only; glibc's wrapper would change every thread.
_SETGROUPS = {"x86_64": 116, "aarch64": 159, "riscv64": 159, "ppc64le": 81, "s390x": 206, "i686": 206, "armv7l": 206}

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Identity:
    """The user and the groups that an app runs as.

    :ivar groups: supplementary groups, the primary one included.
    :ivar switch: False when the spawner is not root and everything stays as it is.
    """

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str
    switch: bool = True


def become_subreaper() -> None:
    """Have orphaned descendants become children of this process, so that none is lost from sight (prctl(2))."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        _raise_errno("prctl(PR_SET_CHILD_SUBREAPER)")


def set_process_name(name: str) -> None:
    """Set the name that ps and top show (at most 15 bytes)."""
    _libc.prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def oom_score_adj() -> int:
    """This process's OOM score adjustment, -1000 (never killed) to 1000 (killed first) (proc(5))."""
    try:
        with open("/proc/self/oom_score_adj", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def set_oom_score_adj(value: int, pid: Optional[int] = None) -> bool:
    """Set how soon the kernel kills a process when memory runs out.

    :param value: -1000 (never) to 1000 (first); lowering it takes root.
    :param pid: None: this process.
    :returns: whether it was allowed.
    """
    try:
        with open("/proc/%s/oom_score_adj" % (pid or "self"), "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError:
        return False
    return True


def open_pidfd(pid: int) -> Optional[int]:
    """A descriptor that names this very process, or None where the kernel has none (pidfd_open(2))."""
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return None


def signal_process(pid: int, pidfd: Optional[int], number: int) -> None:
    """Signal a process, through its pidfd when there is one; a process that has gone is no error."""
    with contextlib.suppress(ProcessLookupError):
        if pidfd is not None:
            signal.pidfd_send_signal(pidfd, number)
        elif pid > 1:
            os.kill(pid, number)


def runs_as(pid: int, uid: int) -> bool:
    """Whether a process of this pid exists and has this real uid."""
    try:
        with open("/proc/%d/status" % pid, "rb") as file:
            return next(line.split()[1] for line in file if line.startswith(b"Uid:")) == b"%d" % uid
    except OSError as error:
        return error.errno in DESCRIPTOR_ERRORS and _owner_of("/proc/%d" % pid) == uid
    except StopIteration:
        return False


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and waits for its parent to notice (proc(5)); True if there is none."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except (OSError, IndexError):
        return True


def is_child(pid: int, parent: int, uid: int) -> bool:
    """Whether a process of this pid exists, has this parent and this real uid."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            found = int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return False
    return found == parent and runs_as(pid, uid)


def _owner_of(path: str) -> Optional[int]:
    try:
        return os.stat(path).st_uid
    except OSError:
        return None


def has_signal_handler(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal (SigCgt, proc(5)): without one most signals would end it."""
    try:
        with open("/proc/%d/status" % pid, "rb") as file:
            mask = next(int(line.split()[1], 16) for line in file if line.startswith(b"SigCgt:"))
    except (OSError, StopIteration, ValueError):
        return False
    return bool(mask >> (number - 1) & 1)


def age_of(pid: int) -> Optional[float]:
    """Seconds since a process was started (or forked), None if there is none (proc(5))."""
    ticks = start_ticks(pid)
    if ticks is None:
        return None
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


def start_ticks(pid: int) -> Optional[int]:
    """When a process was started, in clock ticks since the machine's start: with the pid it identifies one process."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def session_of(pid: int) -> int:
    """The session of a process (getsid(2)), 0 if there is no such process."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def process_exists(pid: int) -> bool:
    """Whether a process of this pid exists and is more than an exit status."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()[:1] != [b"Z"]
    except OSError as error:
        return error.errno in DESCRIPTOR_ERRORS  # not known then: a living process must not be taken for one that ended


def close_descriptor(descriptor: int) -> None:
    """Close a descriptor that may be closed already."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


def peer_uid(sock: socket.socket) -> int:
    """The uid of the process at the other end of a Unix connection, as the kernel says (SO_PEERCRED, unix(7))."""
    _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


def has_unread_output(sock: socket.socket) -> bool:
    """Whether the other end of a Unix socket has not yet read all that was sent to it (SIOCOUTQ, unix(7))."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.TIOCOUTQ, count)  # the same number, see sockios.h
    return count[0] > 0


def pidfd_has_ended(pidfd: int) -> bool:
    """Whether the process of a pidfd has ended; never blocks."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


@contextlib.contextmanager
def file_system_identity(identity: Identity) -> Iterator[None]:
    """Look at and open files with the rights of an app's user: this thread's file system user, group and groups.

    The kernel drops the capabilities that override file permissions while the file system user is not root
    (setfsuid(2), capabilities(7)); a child that is forked meanwhile inherits that. No other thread is concerned.

    :raises OSError: the rights could not be dropped; nothing was done with root's then.
    """
    if not identity.switch:
        yield
        return
    before = os.getgroups()
    uid, gid = os.geteuid(), os.getegid()
    try:
        _set_thread_groups(identity.groups)
        _set_and_check(_libc.setfsgid, identity.gid, "setfsgid")
        _set_and_check(_libc.setfsuid, identity.uid, "setfsuid")
        yield
    finally:
        _set_and_check(_libc.setfsuid, uid, "setfsuid")
        _set_and_check(_libc.setfsgid, gid, "setfsgid")
        _set_thread_groups(tuple(before))


def _set_thread_groups(groups: tuple[int, ...]) -> None:
    array = (ctypes.c_uint32 * len(groups))(*groups)
    number = _SETGROUPS.get(platform.machine())
    if number is None:
        os.setgroups(list(groups))  # every thread then: the watching thread opens nothing meanwhile
    elif _libc.syscall(ctypes.c_long(number), ctypes.c_long(len(groups)), array) != 0:
        _raise_errno("setgroups")


def _set_and_check(function: "ctypes._NamedFuncPointer", value: int, name: str) -> None:
    function(ctypes.c_uint32(value))
    if function(ctypes.c_uint32(0xFFFFFFFF)) & 0xFFFFFFFF != value:  # a call that fails reports what is in force
        raise PermissionError("%s(%d) was refused" % (name, value))


def _raise_errno(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, "%s: %s" % (what, os.strerror(number)))
