"""What a client of a load asks over: a connection of HTTP/1.1 or HTTP/2, and how an exchange over it may fail."""

from __future__ import annotations

from typing import Protocol

from load.kinds import Request

#: Seconds without a byte after which a client gives up.
SILENCE = 30.0


class NotAnswered(Exception):
    """The connection ended before the first byte of an answer.

    `idle`: the connection had answered before. A server may close a kept connection at any time while it is idle
    (RFC 9112, 9.3.1), so the request and the close may have crossed.
    """

    def __init__(self, error: Exception, idle: bool) -> None:
        super().__init__(repr(error))
        self.idle = idle


class CutAnswer(Exception):
    """An answer has begun and does not end as it should."""


class Connection(Protocol):
    """Connects when first used, and again after `close`."""

    @property
    def protocol(self) -> str: ...

    @property
    def cookie(self) -> str:
        """Name and value of the cookie that came with the last answer; empty if none came, or none is looked for."""

    def exchange(self, request: Request) -> tuple[int, bytes]:
        """Send a request, read the whole answer: status and body. Retries nothing.

        Raises NotAnswered, CutAnswer, OSError for a reset amid the answer.
        """

    def close(self) -> None: ...
