"""The scoreboard of a group: shared memory in which each worker says what it does (docs/protocol.md, section 6)."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from dataclasses import dataclass

from spawner.group import SLOTS
from spawner.request_in_flight import RequestInFlight, read_request

CELL_SIZE = 512  # bytes; the header of a slot is as long
SLOT_SIZE = 129 * CELL_SIZE
_HEADER = struct.Struct("<IIIIQQQ")
_CELLS = 128
_NO_REQUEST = bytes(24)
_NANOSECONDS = 1_000_000_000
_F_ADD_SEALS = 1033
_SEALS = 0x1 | 0x2 | 0x4  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW


@dataclass(frozen=True)
class Slot:
    """What one worker says of itself; figures only, it is not to be trusted further.

    :ivar busy_since: seconds of CLOCK_MONOTONIC; when it was last idle and a request began.
    :ivar idle_since: seconds of CLOCK_MONOTONIC; when it last became idle.
    """

    busy: bool
    pid: int
    requests: int
    busy_since: float
    idle_since: float


class Scoreboard:
    """The spawner's view of a group's scoreboard.

    :param descriptor: of the sealed memfd, owned from now on. Sealed, because an app that could shrink it would end
        the spawner by SIGBUS.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, SLOTS * SLOT_SIZE)

    @classmethod
    def create(cls) -> "Scoreboard":
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
        _, pid, running, _, requests, busy_since, idle_since = _HEADER.unpack_from(self._memory, slot * SLOT_SIZE)
        return Slot(running > 0, pid, requests, busy_since / _NANOSECONDS, idle_since / _NANOSECONDS)

    def requests(self, slot: int) -> list[RequestInFlight]:
        """The requests that the worker of a slot is in."""
        start = slot * SLOT_SIZE
        capacity = _HEADER.unpack_from(self._memory, start)[3]
        found = []
        for number in range(min(capacity, _CELLS)):
            first = start + (number + 1) * CELL_SIZE
            found.append(read_request(number, self._memory[first : first + CELL_SIZE]))
        return [request for request in found if request is not None]

    def clear(self, slot: int) -> None:
        """Free a slot whose worker has gone."""
        start = slot * SLOT_SIZE
        capacity = _HEADER.unpack_from(self._memory, start)[3]
        _HEADER.pack_into(self._memory, start, 0, 0, 0, 0, 0, 0, 0)
        for cell in range(1, min(capacity, _CELLS) + 1):  # pages that nobody has written stay without memory
            first = start + cell * CELL_SIZE
            self._memory[first : first + len(_NO_REQUEST)] = _NO_REQUEST

    def close(self) -> None:
        """Unmap it and close its descriptor."""
        self._memory.close()
        os.close(self.descriptor)
