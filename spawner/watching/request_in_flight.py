"""A request that a worker is in, as its cell of the scoreboard shows it (docs/protocol.md, section 6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Optional

_HEAD = struct.Struct("<IIQQ")
_LONGEST = 488  # bytes of text
_CUT = "..."
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class RequestInFlight:
    """What the worker has written of it: for display only. Times are seconds of CLOCK_MONOTONIC.

    :ivar thread: the number of the cell, from 0.
    :ivar since: when the worker took it.
    :ivar deadline: when PassengerMaxRequestTime is over; None: never.
    :ivar path: without the query, which may hold what is nobody's business.
    """

    thread: int
    since: float
    deadline: Optional[float]
    method: str
    host: str
    path: str


def read_request(thread: int, cell: bytes) -> Optional[RequestInFlight]:
    """The request of a cell; None if the cell is free.

    :param cell: its bytes; what its worker writes meanwhile may leave any of them wrong.
    """
    state, length, since, deadline = _HEAD.unpack_from(cell)
    if state == 0:
        return None
    head = _names_and_values(cell[_HEAD.size : _HEAD.size + min(length, _LONGEST)])
    return RequestInFlight(
        thread,
        since / _NANOSECONDS,
        deadline / _NANOSECONDS if deadline else None,
        head.get("REQUEST_METHOD", ""),
        head.get("HTTP_HOST", ""),
        head.get("REQUEST_URI", "").partition("?")[0],
    )


def _names_and_values(text: bytes) -> dict[str, str]:
    """The pairs at the beginning of a request head; a value that is cut ends in dots."""
    parts = text.decode("latin-1").split("\0")
    if parts[-1] and len(parts) % 2 == 0:
        parts[-1] += _CUT
    return dict(zip(parts[0::2], parts[1::2]))
