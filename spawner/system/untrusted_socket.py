"""Unix sockets with a stranger at the other end, who may send descriptors that nobody has asked for (unix(7)).

A kernel since 6.16 refuses them for us (SO_PASSRIGHTS). With an older one they are noticed before the message that has
them is received, so that they never become descriptors of this process; and the socket is closed where that may block.
"""

from __future__ import annotations

import contextlib
import socket

from spawner.errors import PeerError
from spawner.system import interruptible_calls

_SO_PASSRIGHTS = 83  # asm-generic/socket.h


class UnwantedDescriptors(PeerError, OSError):
    """A message has descriptors; it was left where it is."""


def refuse_descriptors(sock: socket.socket) -> None:
    """Have the kernel refuse descriptors, where it can; for a listening socket: those of its connections."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_PASSRIGHTS, 0)


class UntrustedSocket(socket.socket):
    """The same socket as another object, which it replaces, with the methods that a stranger could make block.

    :param sock: non-blocking; it is detached.
    """

    def __init__(self, sock: socket.socket) -> None:
        kind, protocol = sock.type, sock.proto
        super().__init__(sock.family, kind, protocol, fileno=sock.detach())
        self.setblocking(False)
        self._refuses = _refuses_descriptors(self)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As socket.recv.

        :raises UnwantedDescriptors: descriptors come with the bytes.
        """
        return super().recv(size if self._refuses else self._count_clean(size), flags)

    def peek_message(self, size: int, ancillary: int) -> tuple[bytes, list[tuple[int, int, bytes]], int]:
        """The first message, which is left where it is.

        :param size: bytes at most.
        :param ancillary: bytes of ancillary data that come with each message; there is no room for descriptors.
        :returns: the bytes, ancillary data and flags of recvmsg(2).
        :raises UnwantedDescriptors: it has descriptors.
        """
        data, found, flags, _ = self.recvmsg(size, ancillary, socket.MSG_PEEK | socket.MSG_CMSG_CLOEXEC)
        if flags & socket.MSG_CTRUNC:
            raise UnwantedDescriptors("a message has descriptors, which nobody has asked for")
        return data, found, flags

    def _count_clean(self, size: int) -> int:
        """How many bytes can be received now without any descriptor, so that none arrives between look and call."""
        return max(1, len(self.peek_message(size, 0)[0]))

    def close(self) -> None:
        """Close it; with descriptors in its queue that may block, so it happens elsewhere unless there can be none."""
        if self._refuses:
            super().close()
        else:
            interruptible_calls.close_later(self)


def _refuses_descriptors(sock: socket.socket) -> bool:
    try:
        return sock.getsockopt(socket.SOL_SOCKET, _SO_PASSRIGHTS) == 0
    except OSError:
        return False
