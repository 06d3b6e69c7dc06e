"""The scoreboard of a group: shared memory in which each worker says what it does (docs/protocol.md, section 6)."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from dataclasses import dataclass

from spawner.pool.process import SLOTS
from spawner.watching.request_in_flight import RequestInFlight, read_request

CELL_SIZE = 512  # bytes; the header of a slot is as long
SLOT_SIZE = 129 * CELL_SIZE
_HEADER = struct.Struct("<IIIIQQQ")
_CELL = struct.Struct("<IIQQ")
_CELLS = 128
_WORKING = 2  # the state of a slot
_IN_REQUEST = 1  # the state of a cell
_NO_REQUEST = bytes(_CELL.size)
_NANOSECONDS = 1_000_000_000
_F_ADD_SEALS = 1033
_SEALS = 0x1 | 0x2 | 0x4  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW


@dataclass(frozen=True)
class Slot:
    """What one worker says of itself; figures only, it is not to be trusted further.

    :ivar running: requests that it is in.
    :ivar capacity: requests that it can be in, 1 to 128; 0: it has not come up.
    :ivar working: it is at its out-of-band work.
    :ivar busy_since: seconds of CLOCK_MONOTONIC; when it was last idle and a request began.
    :ivar idle_since: seconds of CLOCK_MONOTONIC; when it last became idle.
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
        """Whether it is in a request or at its out-of-band work."""
        return self.running > 0 or self.working


class ScoreboardReader:
    """The spawner's view of a group's scoreboard.

    :param descriptor: of the sealed memfd, owned from now on. Sealed, because an app that could shrink it would end
        the spawner by SIGBUS.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, SLOTS * SLOT_SIZE)

    @classmethod
    def create(cls) -> "ScoreboardReader":
        """A new one, all slots free.

        :raises OSError: the machine has no descriptor or memory left.
        """
        descriptor = os.memfd_create("jumpseat-scoreboard", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, SLOTS * SLOT_SIZE)
            fcntl.fcntl(descriptor, _F_ADD_SEALS, _SEALS)
            return cls(descriptor)
        except OSError:
            os.close(descriptor)
            raise

    def read(self, slot: int) -> Slot:
        """What the worker of a slot says."""
        fields = _HEADER.unpack_from(self._memory, slot * SLOT_SIZE)
        state, pid, running, capacity, requests, busy_since, idle_since = fields
        running, capacity = min(running, _CELLS), min(capacity, _CELLS)
        since, until = busy_since / _NANOSECONDS, idle_since / _NANOSECONDS
        return Slot(pid, running, capacity, state == _WORKING, requests, since, until)

    def is_overdue(self, slot: int, capacity: int, now: float) -> bool:
        """Whether a request of a worker has passed its deadline.

        :param capacity: how many cells it uses: pages that nobody has written stay without memory.
        :param now: seconds of CLOCK_MONOTONIC.
        """
        nanoseconds = int(now * _NANOSECONDS)
        for first in self._cells(slot, capacity):
            state, _, _, deadline = _CELL.unpack_from(self._memory, first)
            if state == _IN_REQUEST and 0 < deadline <= nanoseconds:
                return True
        return False

    @staticmethod
    def _cells(slot: int, capacity: int) -> range:
        start = slot * SLOT_SIZE + CELL_SIZE
        return range(start, start + min(capacity, _CELLS) * CELL_SIZE, CELL_SIZE)

    def requests(self, slot: int) -> list[RequestInFlight]:
        """The requests that the worker of a slot is in."""
        cells = enumerate(self._cells(slot, self.read(slot).capacity))
        found = (read_request(number, self._memory[first : first + CELL_SIZE]) for number, first in cells)
        return [request for request in found if request is not None]

    def clear(self, slot: int) -> None:
        """Free a slot whose worker has gone."""
        start = slot * SLOT_SIZE
        for first in self._cells(slot, self.read(slot).capacity):
            self._memory[first : first + _CELL.size] = _NO_REQUEST
        _HEADER.pack_into(self._memory, start, 0, 0, 0, 0, 0, 0, 0)

    def close(self) -> None:
        """Unmap it and close its descriptor."""
        self._memory.close()
        os.close(self.descriptor)
