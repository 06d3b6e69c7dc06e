"""Free TCP ports, safe against other test processes that look for one at the same moment.

A port is taken below the kernel's ephemeral range (so that no outgoing connection sits on it),
held by an abstract socket of its name, and tried by binding. The kernel lets go of the name with the process, whatever
ends that one, for all users and for as many namespaces as there are networks.
"""

from __future__ import annotations

import os
import random
import socket

NAME = "\0jumpseat-test-port-{}"
FIRST, LAST = 20000, 32000


class Port:
    """One port on 127.0.0.1, ours until `release`."""

    def __init__(self) -> None:
        first = random.Random(os.getpid() ^ id(self)).randrange(FIRST, LAST)
        for number in (*range(first, LAST), *range(FIRST, first)):
            holder = _held(number)
            if holder is None:
                continue
            if _can_bind(number):
                self.number = number
                self._holder = holder
                return
            holder.close()
        raise RuntimeError(f"no free port between {FIRST} and {LAST}")

    def release(self) -> None:
        self._holder.close()


def _held(number: int) -> socket.socket | None:
    """What keeps others from a port; None where another process has it."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(NAME.format(number))
    except OSError:
        holder.close()
        return None
    return holder


def _can_bind(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True
