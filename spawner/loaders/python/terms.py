"""On which terms a request was sent: what the peer wants to hear when it is taken, and how long it waits.

docs/protocol.md, section 2.
"""

import contextlib
import re
from typing import Any, Dict, Optional

from .errors import BadRequest, ClientLeft, TooLate
from .originals import Connection
from .scoreboard import monotonic_ns

_TOO_LATE = b"Status: 102 Too Late\r\n\r\n"
_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_NANOSECONDS = 1000000  # of a millisecond


class Terms:
    """Those of a peer that asked for the sign."""

    __slots__ = ("_sign", "_start_before", "_time_limit")

    def __init__(self, sign: bytes, start_before: int, time_limit: int) -> None:
        """`start_before`: ns of CLOCK_MONOTONIC; `time_limit`: ns; 0 for none."""
        self._sign = sign
        self._start_before = start_before
        self._time_limit = time_limit

    def take(self, connection: Connection) -> int:
        """Give the sign; return the request's deadline in ns of CLOCK_MONOTONIC, 0 for none.

        The clock is looked at behind the sign: a peer that gives up at the time looks for a sign that has come, so
        that one of both always knows. Raises ClientLeft; TooLate when the request must not be begun any more.
        """
        try:
            connection.sendall(self._sign)
        except ConnectionError as error:
            raise ClientLeft("the client left before its request was taken") from error
        if not self._start_before and not self._time_limit:
            return 0
        now: int = monotonic_ns()
        if self._start_before and now >= self._start_before:
            _say_that_it_is_too_late(connection)
            raise TooLate("the request has waited in the queue for too long")
        return now + self._time_limit if self._time_limit else 0


def _say_that_it_is_too_late(connection: Connection) -> None:
    """Without it, an end behind the sign would be the death of a worker amid the request."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(_TOO_LATE)


def sign(route: str) -> bytes:
    """Return the sign that a request has been taken, by a worker with a socket of its own if `route` is not empty."""
    line = "Route: {}\r\n".format(route) if route else ""
    return "Status: 102 Processing\r\n{}\r\n".format(line).encode("ascii")


def take_out_of(environ: Dict[str, Any], sign_of_worker: bytes) -> Optional[Terms]:
    """Remove the names from `environ` and return what they say; None for a peer that asks for no sign.

    Raises BadRequest.
    """
    wanted = environ.pop("JUMPSEAT_TAKEN", "") == "1"
    start_before = _number(environ.pop("JUMPSEAT_START_BEFORE", "0"))
    time_limit = _number(environ.pop("JUMPSEAT_TIME_LIMIT", "0")) * _NANOSECONDS
    return Terms(sign_of_worker, start_before, time_limit) if wanted else None


def _number(text: str) -> int:
    if not _NUMBER.match(text):
        raise BadRequest("a time of {!r}".format(text[:40]))
    return int(text)
