"""Reads a group's scoreboard: shared memory in which each worker writes what it does (docs/protocol.md, section 6).

Nothing in it is trusted beyond display and the limits of the app itself: the app's user can write anything there.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from dataclasses import dataclass
from typing import Optional

from spawner.pool.process import SLOTS, OverdueRequest
from spawner.shared.constants import SCOREBOARD_SLOT_SIZE

CELL_SIZE = 512  # bytes; the header of a slot is as long
_SLOT_HEADER = struct.Struct("<IIIIQQQQ")
_CELL_HEADER = struct.Struct("<IIQQ")
_CELLS = 128
MOST_REQUESTS = 65_536  # of a worker at the same time; larger figures are cut
_WORKING = 2  # the state of a slot
_IN_REQUEST = 1  # the state of a cell
_LONGEST_TEXT = CELL_SIZE - _CELL_HEADER.size  # bytes of a request head
_CUT = "..."
_FREE_CELL = bytes(_CELL_HEADER.size)
_NANOSECONDS = 1_000_000_000
_F_ADD_SEALS = 1033
_SEALS = 0x1 | 0x2 | 0x4  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW


@dataclass(frozen=True)
class SlotValues:
    """What one worker has written about itself. Times are seconds of CLOCK_MONOTONIC.

    :ivar running: requests that it is in.
    :ivar capacity: requests that it can be in, 1 to MOST_REQUESTS; 0: it has not come up.
    :ivar working: it does its out-of-band work.
    :ivar requests: how many it has served.
    :ivar busy_since: when a request began after it was last idle.
    :ivar idle_since: when it last became idle.
    """

    pid: int
    running: int
    capacity: int
    working: bool
    requests: int
    busy_since: float
    idle_since: float

    @property
    def busy(self) -> bool:
        """Whether it is in a request or does its out-of-band work."""
        return self.running > 0 or self.working

    @property
    def cells(self) -> int:
        """How many cells may have a request. Requests that need no thread stand behind those of the threads."""
        return min(self.capacity + self.running, _CELLS)


@dataclass(frozen=True)
class RunningRequest:
    """A request that a worker is in, for display only. Times are seconds of CLOCK_MONOTONIC.

    :ivar thread: the number of the cell, from 0.
    :ivar since: when the worker accepted it.
    :ivar deadline: when PassengerMaxRequestTime is over; None: never.
    :ivar path: without the query, which may hold secrets.
    """

    thread: int
    since: float
    deadline: Optional[float]
    method: str
    host: str
    path: str


class ScoreboardReader:
    """The spawner's mapping of a group's scoreboard.

    :param descriptor: of the sealed memfd, owned from now on. An app that could shrink it would end the spawner by
        SIGBUS, so it is sealed.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, SLOTS * SCOREBOARD_SLOT_SIZE)

    @classmethod
    def create(cls) -> "ScoreboardReader":
        """Create a scoreboard with all slots free.

        :raises OSError: the machine has no descriptor or memory left.
        """
        descriptor = os.memfd_create("jumpseat-scoreboard", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, SLOTS * SCOREBOARD_SLOT_SIZE)
            fcntl.fcntl(descriptor, _F_ADD_SEALS, _SEALS)
            return cls(descriptor)
        except OSError:
            os.close(descriptor)
            raise

    def read(self, slot: int) -> SlotValues:
        """What the worker of a slot has written; values that are too large are cut to the largest possible."""
        fields = _SLOT_HEADER.unpack_from(self._memory, slot * SCOREBOARD_SLOT_SIZE)
        state, pid, running, capacity, requests, busy_since, idle_since, _ = fields
        running, capacity = min(running, MOST_REQUESTS), min(capacity, MOST_REQUESTS)
        since, until = busy_since / _NANOSECONDS, idle_since / _NANOSECONDS
        return SlotValues(pid, running, capacity, state == _WORKING, requests, since, until)

    def overdue_requests(self, slot: int, cells: int, now: float) -> tuple[OverdueRequest, ...]:
        """The requests of a worker that have passed their deadline. All that have no cell count as one.

        :param cells: how many cells the worker may use. No others are read: that would give them memory.
        :param now: seconds of CLOCK_MONOTONIC.
        """
        nanoseconds = int(now * _NANOSECONDS)
        found = []
        for number, first in enumerate(self._cells(slot, cells)):
            state, _, since, deadline = _CELL_HEADER.unpack_from(self._memory, first)
            if state == _IN_REQUEST and 0 < deadline <= nanoseconds:
                found.append(OverdueRequest(number, since))
        hidden_deadline = _SLOT_HEADER.unpack_from(self._memory, slot * SCOREBOARD_SLOT_SIZE)[-1]
        if 0 < hidden_deadline <= nanoseconds:
            found.append(OverdueRequest(None, 0))
        return tuple(found)

    def requests(self, slot: int) -> list[RunningRequest]:
        """The requests that the worker of a slot is in."""
        cells = enumerate(self._cells(slot, self.read(slot).cells))
        found = (parse_cell(number, self._memory[first : first + CELL_SIZE]) for number, first in cells)
        return [request for request in found if request is not None]

    def clear(self, slot: int) -> None:
        """Free the slot of a worker that has ended."""
        start = slot * SCOREBOARD_SLOT_SIZE
        for first in self._cells(slot, self.read(slot).cells):
            self._memory[first : first + _CELL_HEADER.size] = _FREE_CELL
        _SLOT_HEADER.pack_into(self._memory, start, 0, 0, 0, 0, 0, 0, 0, 0)

    def close(self) -> None:
        """Unmap it and close its descriptor."""
        self._memory.close()
        os.close(self.descriptor)

    @staticmethod
    def _cells(slot: int, count: int) -> range:
        """The offsets of the first cells of a slot."""
        start = slot * SCOREBOARD_SLOT_SIZE + CELL_SIZE
        return range(start, start + min(count, _CELLS) * CELL_SIZE, CELL_SIZE)


def parse_cell(thread: int, cell: bytes) -> Optional[RunningRequest]:
    """The request of a cell; None if the cell is free.

    :param cell: its CELL_SIZE bytes. The worker may write at the same time, so any of them may be wrong.
    """
    state, length, since, deadline = _CELL_HEADER.unpack_from(cell)
    if state == 0:
        return None
    head = _parse_head(cell[_CELL_HEADER.size : _CELL_HEADER.size + min(length, _LONGEST_TEXT)])
    return RunningRequest(
        thread,
        since / _NANOSECONDS,
        deadline / _NANOSECONDS if deadline else None,
        head.get("REQUEST_METHOD", ""),
        head.get("HTTP_HOST", ""),
        head.get("REQUEST_URI", "").partition("?")[0],
    )


def _parse_head(text: bytes) -> dict[str, str]:
    """The names and values at the beginning of a request head; a value that is cut ends in dots."""
    parts = text.decode("latin-1").split("\0")
    if parts[-1] and len(parts) % 2 == 0:
        parts[-1] += _CUT
    return dict(zip(parts[0::2], parts[1::2]))
