"""What httpd is still doing with connections, read from /proc: what its sockets are, and which threads run."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

LISTEN = "0A"
SOCKET = re.compile(r"socket:\[(\d+)\]")
#: States of a thread that has work: it runs, or waits only for the kernel.
AT_WORK = ("R", "D")


class TcpSocket(NamedTuple):
    """A row of the kernel's table."""

    inode: str
    listens: bool
    queued: int  # of one that listens: connections that no process has accepted yet


def queued_connections(pids: Iterable[int]) -> int:
    """How many connections wait in the listening sockets of these processes."""
    return sum(held.queued for held in _tcp_sockets(pids) if held.listens)


def accepted_connections(pids: Iterable[int]) -> int:
    """How many connections these processes hold."""
    return sum(not held.listens for held in _tcp_sockets(pids))


def _tcp_sockets(pids: Iterable[int]) -> list[TcpSocket]:
    inodes = {inode for pid in pids for inode in _sockets_of(pid)}
    rows = [line.split() for name in ("tcp", "tcp6") for line in _lines(Path("/proc/net") / name)]
    return [TcpSocket(row[9], row[3] == LISTEN, int(row[4].partition(":")[2], 16)) for row in rows if row[9] in inodes]


def threads_at_work(pids: Iterable[int]) -> int:
    return sum(state in AT_WORK for pid in pids for state in thread_states(pid))


def thread_states(pid: int) -> list[str]:
    """The letter of each thread, see proc(5); empty when it has ended."""
    return [_state(task) for task in _entries(f"/proc/{pid}/task")]


def _lines(path: Path) -> list[str]:
    """Without the heading."""
    return path.read_text().splitlines()[1:] if path.exists() else []


def _entries(folder: str) -> list[Path]:
    """None when the process has ended."""
    with contextlib.suppress(OSError):
        return list(Path(folder).iterdir())
    return []


def _state(task: Path) -> str:
    with contextlib.suppress(OSError):
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    return ""


def _sockets_of(pid: int) -> Iterator[str]:
    for entry in _entries(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            match = SOCKET.match(os.readlink(entry))
            if match:
                yield match.group(1)
