"""The worker's slot of its group's scoreboard (docs/protocol.md, section 6)."""

import mmap
import os
import struct
import time

SLOT_SIZE = 64
_SLOT = struct.Struct("<IIQQQ")
_FREE, _IDLE, _BUSY = 0, 1, 2


def _monotonic_ns() -> int:
    """CLOCK_MONOTONIC in ns, for Python 3.6, which has no time.monotonic_ns."""
    return int(time.monotonic() * 1000000000)


monotonic_ns = getattr(time, "monotonic_ns", _monotonic_ns)


class Scoreboard:
    """The group's whole board, mapped once by the preloader; each worker writes one slot of it."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: the board's memfd; closed here (the map keeps its own)."""
        try:
            status = os.fstat(descriptor)
            self._map = mmap.mmap(descriptor, status.st_size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        finally:
            os.close(descriptor)
        _keep_from_children(status)

    def slot(self, number: int) -> "Slot":
        """Return the writer of slot `number`, counted from 0. Raises ValueError when there is none."""
        if number < 0 or (number + 1) * SLOT_SIZE > len(self._map):
            raise ValueError("the scoreboard has no slot {}".format(number))
        return Slot(self._map, number * SLOT_SIZE)


def _keep_from_children(board: os.stat_result) -> None:
    """Close the map's own copy of the descriptor on exec: PyPy leaves it open."""
    for name in os.listdir("/proc/self/fd"):
        try:
            status = os.fstat(int(name))
            if (status.st_dev, status.st_ino) == (board.st_dev, board.st_ino):
                os.set_inheritable(int(name), False)
        except OSError:
            pass  # the folder's own


class Slot:
    """What one worker tells of itself: idle or busy since when, how many requests served."""

    def __init__(self, board: mmap.mmap, offset: int) -> None:
        self.requests = 0
        self._board = board
        self._offset = offset
        self._pid = os.getpid()
        self._idle_since: int = monotonic_ns()

    def ready(self) -> None:
        """The worker accepts; it has served nothing."""
        self._idle_since = monotonic_ns()
        _SLOT.pack_into(self._board, self._offset, _IDLE, self._pid, 0, 0, self._idle_since)

    def busy(self) -> None:
        """A request begins."""
        _SLOT.pack_into(self._board, self._offset, _BUSY, self._pid, self.requests, monotonic_ns(), self._idle_since)

    def idle(self) -> None:
        """A request has been served."""
        self.requests += 1
        self._idle_since = monotonic_ns()
        _SLOT.pack_into(self._board, self._offset, _IDLE, self._pid, self.requests, 0, self._idle_since)

    def free(self) -> None:
        """The worker ends."""
        _SLOT.pack_into(self._board, self._offset, _FREE, self._pid, self.requests, 0, self._idle_since)
