"""Free TCP ports, safe against other test processes that look for one at the same moment.

A port is taken below the kernel's ephemeral range (so that no outgoing connection sits on it),
held by a lock on a file of its name, and tried by binding.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
from pathlib import Path
from typing import IO

LOCKS = Path("/tmp/jumpseat-test-ports")
FIRST, LAST = 20000, 32000


class Port:
    """One port on 127.0.0.1, ours until `release`."""

    def __init__(self) -> None:
        _make_lock_folder()
        numbers = list(range(FIRST, LAST))
        random.Random(os.getpid() ^ id(self)).shuffle(numbers)
        for number in numbers:
            lock = _locked(LOCKS / str(number))
            if lock is None:
                continue
            if _can_bind(number):
                self.number = number
                self._lock = lock
                return
            lock.close()
        raise RuntimeError(f"no free port between {FIRST} and {LAST}")

    def release(self) -> None:
        self._lock.close()


def _make_lock_folder() -> None:
    """One for all users, whoever is the first."""
    try:
        LOCKS.mkdir()
    except FileExistsError:
        return
    LOCKS.chmod(0o1777)


def _locked(path: Path) -> IO[str] | None:
    try:
        lock = open(path, "a")
    except PermissionError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _can_bind(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True
