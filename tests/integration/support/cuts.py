"""How bytes are cut on their way to a peer: whole, byte by byte, and at random places that a seed repeats."""

from __future__ import annotations

import array
import fcntl
import os
import random
import select
import socket
import termios
import time
from typing import Iterator, Sequence

WAYS = ("whole", "byte by byte", "at random")
#: `HOSTILE_SEED=` tries other places.
SEED = int(os.environ.get("HOSTILE_SEED") or 1)

#: Of more bytes than twice this, those in the middle go as one piece, or as large ones.
_ENDS = 200
_LARGEST_PIECE = 40
#: Seconds that a peer may take for one piece: if it takes longer, it sees two as one.
_PATIENCE = 0.05


def pieces(data: bytes, way: str, name: str) -> Iterator[bytes]:
    """The pieces of `data`; the same for the same seed, way and name."""
    if way == "whole":
        yield data
        return
    middle = len(data) - _ENDS if len(data) > 2 * _ENDS else len(data)
    chosen = random.Random(f"{SEED} {name}")
    start = 0
    while start < len(data):
        size = 1 if way == "byte by byte" else chosen.randint(1, _LARGEST_PIECE)
        if start >= _ENDS and start < middle < len(data):
            size = middle - start
        yield data[start : start + size]
        start += size


def send_cut(connection: socket.socket, data: bytes, way: str, name: str) -> None:
    """Send the pieces; over a Unix socket, the peer has taken one before the next is sent."""
    for piece in pieces(data, way, name):
        connection.sendall(piece)
        if way != "whole" and connection.family == socket.AF_UNIX:
            wait_until_taken(connection)


def send_with_descriptors(connection: socket.socket, data: bytes, descriptors: Sequence[int]) -> None:
    """In a message of its own."""
    wait_until_taken(connection)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    sent = connection.sendmsg([data], rights)
    connection.sendall(data[sent:])


def wait_until_taken(connection: socket.socket) -> None:
    """Until the peer has what was sent, has gone, or has been given enough time."""
    deadline = time.monotonic() + _PATIENCE
    while _untaken(connection) and time.monotonic() < deadline:
        time.sleep(0)  # another thread's turn
        if has_gone(connection):
            return


def has_gone(connection: socket.socket) -> bool:
    """Whether the peer has closed the connection; what it has sent may still be read."""
    watched = select.poll()
    watched.register(connection, select.POLLRDHUP)
    return bool(watched.poll(0))


def _untaken(connection: socket.socket) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(connection, termios.TIOCOUTQ, count)
    return count[0]
