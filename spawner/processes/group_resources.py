"""What the operating system has of an app group: the listening socket, the scoreboard, the app's secret."""

from __future__ import annotations

import secrets
import select
import socket
from dataclasses import dataclass
from typing import Optional

from spawner.options import ServerOptions
from spawner.pool.registration import Registration
from spawner.processes.scoreboard_reader import ScoreboardReader


@dataclass
class GroupResources:
    """The descriptors of one app group, which it owns.

    :ivar path: of the socket.
    :ivar token: what a client has to know (docs/protocol.md, section 2).
    :ivar user: whom its last process was started as; empty before the first.
    :ivar warnings: what its last preloader held after loading the app that forks cannot share.
    :ivar queue_watched: whether the spawner looks at the queue, because no worker does.
    """

    key: str
    path: str
    listener: socket.socket
    scoreboard: ScoreboardReader
    token: str
    user: str = ""
    uid: Optional[int] = None
    queue_watched: bool = False
    warnings: tuple[str, ...] = ()

    def has_waiting(self) -> bool:
        """Whether a connection waits in the queue."""
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close socket and scoreboard; the workers keep theirs."""
        self.listener.close()
        self.scoreboard.close()


def new_token() -> str:
    """A secret for a group."""
    return secrets.token_hex(16)


def backlog_for(registration: Registration, server: ServerOptions) -> int:
    """The backlog that makes the kernel's queue as long as PassengerMaxRequestQueueSize says.

    A Unix socket admits one connection more than its backlog (unix_stream_connect in net/unix/af_unix.c). 0 means as
    many as the system allows, for which PassengerSocketBacklog stands.
    """
    size = registration.options.max_request_queue_size or max(1, server.socket_backlog)
    return max(0, size - 1)
