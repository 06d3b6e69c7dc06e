"""The acknowledgement of a request and its deadlines (docs/protocol.md, section 2).

A peer that wants it hears that the app is about to be called: the request must not be given to another worker then.
"""

import contextlib
import re
from typing import Dict, Optional

from ..core.loader_errors import BadRequest, ClientLeft, TooLate
from ..core.unpatched import Connection, monotonic_ns

_TOO_LATE = b"Status: 102 Too Late\r\n\r\n"
_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_NS_OF_A_MS = 1000000


class Acknowledgement:
    """What the peer of one request has asked for."""

    __slots__ = ("_bytes", "_start_before", "_time_limit")

    def __init__(self, worker_bytes: bytes, start_before: int, time_limit: int) -> None:
        """`worker_bytes`: of `acknowledgement_of`; empty for a peer that asks for no acknowledgement.

        `start_before`: ns of CLOCK_MONOTONIC; `time_limit`: ns; 0: none.
        """
        self._bytes = worker_bytes
        self._start_before = start_before
        self._time_limit = time_limit

    def send(self, connection: Connection) -> int:
        """Acknowledge the request; return its deadline in ns of CLOCK_MONOTONIC, 0 for none.

        The clock is read after the acknowledgement is sent: a peer that gives up at `start_before` looks for an
        acknowledgement that has come, so one of both sides always knows. (A peer that asks for none looks whether the
        request has been read.) Raises ClientLeft; TooLate when the request must not be started any more.
        """
        try:
            if self._bytes:
                connection.sendall(self._bytes)
        except ConnectionError as error:
            raise ClientLeft("the client left before its request was acknowledged") from error
        if not self._start_before and not self._time_limit:
            return 0
        now: int = monotonic_ns()
        if self._start_before and now >= self._start_before:
            _send_too_late(connection)
            raise TooLate("the request has waited in the queue for too long")
        return now + self._time_limit if self._time_limit else 0


def acknowledgement_of(route: str) -> bytes:
    """Return the bytes of a worker's acknowledgements. `route`: empty for one without a socket of its own."""
    line = "Route: {}\r\n".format(route) if route else ""
    return "Status: 102 Processing\r\n{}\r\n".format(line).encode("ascii")


def acknowledgement_for(extensions: Dict[str, str], worker_bytes: bytes) -> Optional[Acknowledgement]:
    """Return what the extensions of a request ask for; None for nothing. Raises BadRequest."""
    wanted = extensions.get("JUMPSEAT_ACKNOWLEDGE") == "1"
    start_before = _number(extensions.get("JUMPSEAT_START_BEFORE", "0"))
    if not wanted:
        return Acknowledgement(b"", start_before, 0) if start_before else None
    time_limit = _number(extensions.get("JUMPSEAT_TIME_LIMIT", "0")) * _NS_OF_A_MS
    return Acknowledgement(worker_bytes, start_before, time_limit)


def _send_too_late(connection: Connection) -> None:
    """Without it, an end of file behind the acknowledgement would mean that a worker died amid the request."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(_TOO_LATE)


def _number(text: str) -> int:
    if not _NUMBER.match(text):
        raise BadRequest("a time is not a number: {!r}".format(text[:40]))
    return int(text)
