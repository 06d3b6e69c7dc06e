"""What the operating system has of an app group: the listening socket and its queue, and the scoreboard."""

from __future__ import annotations

import os
import secrets
import select
import socket
import struct
from dataclasses import dataclass, field
from typing import Optional

from spawner.options import ServerOptions
from spawner.pool.registration import Registration
from spawner.processes.import_warnings import ImportWarnings
from spawner.processes.scoreboard_reader import ScoreboardReader

# sock_diag(7) of Unix sockets, linux/unix_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_UDIAG_SHOW_RQLEN = 0x10
_UNIX_DIAG_RQLEN = 4
_NO_COOKIE = 0xFFFFFFFF
_NETLINK_HEADER = struct.Struct("=IHHII")
_DIAG_REQUEST = struct.Struct("=BBHIIIII")
_DIAG_MESSAGE_SIZE = 16  # of struct unix_diag_msg
_ATTRIBUTE_HEADER = struct.Struct("=HH")
_QUEUE_LENGTHS = struct.Struct("=II")
_TIMEOUT = 0.1  # seconds; the kernel answers before send(2) returns


@dataclass
class GroupResources:
    """The descriptors of one app group, which it owns.

    :ivar path: of the listening socket.
    :ivar token: the secret that a client has to send (docs/protocol.md, section 2).
    :ivar user: the user that its last process was started as; empty before the first.
    :ivar import_warnings: what its import left that forks cannot share.
    :ivar tolerated: what its workers of `tolerated_generation` do against PEP 3333, as far as it was logged.
    :ivar without_effect: why a limit of the app has no effect, by directive.
    :ivar queue_watched: whether the spawner waits for connections in the queue, because no worker accepts them.
    """

    key: str
    path: str
    listener: socket.socket
    scoreboard: ScoreboardReader
    token: str
    user: str = ""
    uid: Optional[int] = None
    queue_watched: bool = False
    import_warnings: ImportWarnings = ImportWarnings()
    tolerated: set[str] = field(default_factory=set)
    tolerated_generation: int = 0
    without_effect: dict[str, str] = field(default_factory=dict)

    def has_waiting(self) -> bool:
        """Whether a connection waits in the queue."""
        return connection_waits(self.listener)

    def close(self) -> None:
        """Close socket and scoreboard; the workers keep theirs."""
        self.listener.close()
        self.scoreboard.close()


def new_token() -> str:
    """A secret for a group."""
    return secrets.token_hex(16)


def backlog_for(registration: Registration, server: ServerOptions) -> int:
    """The backlog for listen(2) that makes the kernel's queue as long as PassengerMaxRequestQueueSize says.

    A Unix socket admits one connection more than its backlog (unix_stream_connect in net/unix/af_unix.c). 0 means as
    many as the system allows, for which PassengerSocketBacklog stands.
    """
    size = registration.options.max_request_queue_size or max(1, server.socket_backlog)
    return max(0, size - 1)


def connection_waits(listener: socket.socket) -> bool:
    """Whether a connection waits to be accepted.

    :param listener: a listening socket.
    """
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


def queue_length(listener: socket.socket) -> Optional[int]:
    """How many connections wait to be accepted; None where the kernel has no diagnostics of Unix sockets.

    :param listener: a listening Unix socket.
    """
    inode = os.fstat(listener.fileno()).st_ino & 0xFFFFFFFF
    request = _DIAG_REQUEST.pack(
        socket.AF_UNIX, 0, 0, _ANY_STATE, inode, _UDIAG_SHOW_RQLEN, _NO_COOKIE, _NO_COOKIE
    )
    header = _NETLINK_HEADER.pack(_NETLINK_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as netlink:
            netlink.settimeout(_TIMEOUT)
            netlink.send(header + request)
            return _parse_queue_length(netlink.recv(4096))
    except OSError:
        return None


def _parse_queue_length(answer: bytes) -> Optional[int]:
    """The length in the kernel's answer; None if the answer is an error."""
    size, kind, _, _, _ = _NETLINK_HEADER.unpack_from(answer)
    position = _NETLINK_HEADER.size + _DIAG_MESSAGE_SIZE
    while kind == _SOCK_DIAG_BY_FAMILY and position + _ATTRIBUTE_HEADER.size <= min(size, len(answer)):
        length, attribute = _ATTRIBUTE_HEADER.unpack_from(answer, position)
        if attribute == _UNIX_DIAG_RQLEN:
            return int(_QUEUE_LENGTHS.unpack_from(answer, position + _ATTRIBUTE_HEADER.size)[0])
        position += max(_ATTRIBUTE_HEADER.size, (length + 3) & ~3)
    return None
