"""The scoreboard of a group: shared memory in which each worker says what it does (docs/protocol.md, section 6)."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from dataclasses import dataclass

from spawner.group import SLOTS

SLOT_SIZE = 64  # bytes: a cache line, so that workers do not disturb one another
_SLOT = struct.Struct("<IIQQQ")
_FREE, _BUSY = 0, 2
_NANOSECONDS = 1_000_000_000
_F_ADD_SEALS = 1033
_SEALS = 0x1 | 0x2 | 0x4  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW


@dataclass(frozen=True)
class Slot:
    """What one worker says of itself; figures only, it is not to be trusted further.

    :ivar busy_since: seconds of CLOCK_MONOTONIC; when the current request began.
    :ivar idle_since: seconds of CLOCK_MONOTONIC; when the last one ended.
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
        state, pid, requests, busy_since, idle_since = _SLOT.unpack_from(self._memory, slot * SLOT_SIZE)
        return Slot(state == _BUSY, pid, requests, busy_since / _NANOSECONDS, idle_since / _NANOSECONDS)

    def clear(self, slot: int) -> None:
        """Free a slot whose worker has gone."""
        _SLOT.pack_into(self._memory, slot * SLOT_SIZE, _FREE, 0, 0, 0, 0)

    def close(self) -> None:
        """Unmap it and close its descriptor."""
        self._memory.close()
        os.close(self.descriptor)
