"""Whether a program accepts on a socket that it has inherited, as /proc shows it (proc(5)).

A program that knows the protocol of systemd's services says READY=1. Every other one is looked at: it accepts when the
socket is in one of its epolls, or when one of its threads waits in a system call that waits for sockets while the
program holds this one.
"""

import os
import platform
from typing import Iterator, List, Tuple

ACCEPTS = "accepts"
MAY_ACCEPT = "may accept"
NOT_YET = ""

# The numbers of system calls, by the names of machines.
_ACCEPT_CALLS = {"x86_64": {43, 288}, "aarch64": {202, 242}}  # accept, accept4
_WAIT_CALLS = {"x86_64": {7, 23, 270, 271}, "aarch64": {72, 73}}  # poll, select, pselect6, ppoll
_MOST_DESCRIPTORS = 4096  # of a process that are looked at
_MOST_THREADS = 1024


def look(leader: int, inode: int) -> str:
    """Return ACCEPTS if a program accepts on the socket, MAY_ACCEPT if it waits for something and holds the socket,
    else NOT_YET.

    `leader`: the program's process; if it leads a session, all that is in it is the program.
    """
    found = NOT_YET
    for pid in _processes_of(leader):
        answer = _look_at(pid, inode)
        if answer == ACCEPTS:
            return answer
        found = answer or found
    return found


def _processes_of(leader: int) -> Iterator[int]:
    yield leader
    for name in os.listdir("/proc"):
        pid = int(name) if name.isdigit() else os.getpid()
        try:
            if pid not in (leader, os.getpid()) and os.getsid(pid) == leader:
                yield pid
        except OSError:
            pass  # it has ended


def _look_at(pid: int, inode: int) -> str:
    held = _descriptors(pid, inode)
    if _is_in_epoll(pid, inode):
        return ACCEPTS
    return _look_at_threads(pid, held) if held else NOT_YET


def _descriptors(pid: int, inode: int) -> List[int]:
    """Return the numbers of the descriptors of a process that are this socket."""
    return [number for number, target in _links(pid) if target == "socket:[%d]" % inode]


def _links(pid: int) -> Iterator[Tuple[int, str]]:
    folder = "/proc/%d/fd" % pid
    try:
        names = os.listdir(folder)[:_MOST_DESCRIPTORS]
    except OSError:
        return
    for name in names:
        try:
            yield int(name), os.readlink("%s/%s" % (folder, name))
        except OSError:
            pass  # closed


def _is_in_epoll(pid: int, inode: int) -> bool:
    return any(
        target == "anon_inode:[eventpoll]" and _watches("/proc/%d/fdinfo/%d" % (pid, number), inode)
        for number, target in _links(pid)
    )


def _watches(path: str, inode: int) -> bool:
    """Whether an epoll watches a socket. Its lines: `tfd: 3 events: 19 data: 3 pos:0 ino:1f2e sdev:9`."""
    try:
        with open(path) as lines:
            return any("ino:%x" % inode in line.split() for line in lines)
    except OSError:
        return False


def _look_at_threads(pid: int, held: List[int]) -> str:
    machine, found = platform.machine(), NOT_YET
    for call, first in _system_calls(pid):
        if call in _ACCEPT_CALLS.get(machine, ()) and first in held:
            return ACCEPTS
        if call in _WAIT_CALLS.get(machine, ()):
            found = MAY_ACCEPT
    return found


def _system_calls(pid: int) -> Iterator[Tuple[int, int]]:
    """Yield number and first argument of the system calls that the threads of a process wait in."""
    folder = "/proc/%d/task" % pid
    try:
        names = os.listdir(folder)[:_MOST_THREADS]
    except OSError:
        return
    for name in names:
        try:
            with open("%s/%s/syscall" % (folder, name)) as file:
                words = file.read().split()
            yield int(words[0]), int(words[1], 16)
        except (OSError, ValueError, IndexError):
            pass  # it runs, or has ended, or the kernel does not let us look
