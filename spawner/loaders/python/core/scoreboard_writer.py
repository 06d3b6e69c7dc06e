"""What a worker writes into its slot of the group's scoreboard (docs/protocol.md, section 6).

Each step of a request is one write. A reader never sees half a field, for a struct stores it in one piece; and a cell
is empty before it is filled, so that a reader sees no deadline but that of the request which is in it.
"""

import struct
from typing import Dict, Union

from ....shared.constants import SCOREBOARD_SLOT_SIZE
from .unpatched import _thread, mmap, monotonic_ns, os

CELLS = 128  # of a slot: a worker can be in more requests, which are counted and not shown
CELL_SIZE = 512  # bytes; the header is as long

_HEADER = struct.Struct("<IIIIQQQQ")
_CELL = struct.Struct("<IIQQ488s")
_LONGEST_TEXT = 488  # bytes
_NO_REQUEST = bytes(24)
_LATER = 1 << 62  # ns; a reader takes a time in the future for this moment
_FREE, _SERVING, _OUT_OF_BAND = 0, 1, 2


class Scoreboard:
    """The scoreboard of a group, mapped once by the preloader; each worker writes one slot of it."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: of the memfd; closed here (the map keeps its own)."""
        try:
            status = os.fstat(descriptor)
            self._map = mmap.mmap(descriptor, status.st_size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        finally:
            os.close(descriptor)
        _close_on_exec(status)

    def slot(self, number: int) -> "SlotWriter":
        """Return the writer of slot `number`, counted from 0, for a worker that is in one request at a time.

        Raises ValueError when there is none.
        """
        return SlotWriter(self._map, self._offset(number))

    def shared_slot(self, number: int, capacity: int) -> "SharedSlotWriter":
        """Return the writer of slot `number` for a worker that can be in `capacity` requests. Raises ValueError."""
        return SharedSlotWriter(self._map, self._offset(number), capacity)

    def _offset(self, number: int) -> int:
        if number < 0 or (number + 1) * SCOREBOARD_SLOT_SIZE > len(self._map):
            raise ValueError("the scoreboard has no slot {}".format(number))
        return number * SCOREBOARD_SLOT_SIZE


def _close_on_exec(memfd: os.stat_result) -> None:
    """Have an exec close the map's own copy of the descriptor, which PyPy leaves open."""
    for name in os.listdir("/proc/self/fd"):
        try:
            status = os.fstat(int(name))
            if (status.st_dev, status.st_ino) == (memfd.st_dev, memfd.st_ino):
                os.set_inheritable(int(name), False)
        except OSError:
            pass  # the folder's own


class CellWriter:
    """Writes one cell: a request that the worker is in."""

    def __init__(self, board: mmap.mmap, offset: int) -> None:
        self._board = board
        self._offset = offset

    def fill(self, head: bytes, since: int, deadline: int) -> None:
        """A request has been accepted. `head`: the payload of its head; times in ns; a `deadline` of 0: never."""
        length = len(head)
        if length > _LONGEST_TEXT:
            length = _LONGEST_TEXT
        _CELL.pack_into(self._board, self._offset, 1, length, since, deadline, head)

    def clear(self) -> None:
        """The request is over."""
        self._board[self._offset : self._offset + len(_NO_REQUEST)] = _NO_REQUEST


class SlotWriter:
    """Writes one worker's slot. `requests`: how many it has served; `cell`: that of its first thread."""

    def __init__(self, board: mmap.mmap, offset: int, capacity: int = 1) -> None:
        self.requests = 0
        self._board = board
        self._offset = offset
        self._capacity = capacity
        self._pid = os.getpid()
        self._busy_since: int = 0
        self._idle_since: int = monotonic_ns()
        self._hidden_deadline = 0
        shown = min(capacity, CELLS)
        self._cells = [CellWriter(board, offset + CELL_SIZE * number) for number in range(1, shown + 1)]
        self.cell = self._cells[0]
        self._cell_start = offset + CELL_SIZE
        self._cell_end = self._cell_start + len(_NO_REQUEST)

    def worker_ready(self) -> None:
        """The worker accepts; it has served nothing."""
        for cell in self._cells:  # the worker that had the slot before may have been killed in a request
            cell.clear()
        self._idle_since = monotonic_ns()
        self._write_header(_SERVING)

    def requests_are_unknown(self) -> None:
        """Only the app knows its requests: it counts as if it had just become idle, at every look."""
        self._idle_since = _LATER
        self._write_header(_SERVING)

    def request_started(self) -> None:
        """A connection has been accepted."""
        self._busy_since = now = monotonic_ns()
        _HEADER.pack_into(
            self._board, self._offset, _SERVING, self._pid, 1, 1, self.requests, now, self._idle_since, 0
        )  # fmt: skip

    def request_finished(self, served: bool) -> None:
        """The connection is closed. `served`: the app has been called."""
        self.requests += served
        self._idle_since = now = monotonic_ns()
        self._board[self._cell_start : self._cell_end] = _NO_REQUEST
        _HEADER.pack_into(
            self._board, self._offset, _SERVING, self._pid, 0, 1, self.requests, self._busy_since, now, 0
        )  # fmt: skip

    def out_of_band_work_started(self) -> None:
        """The worker, which is in no request, begins its out-of-band work."""
        self._write_header(_OUT_OF_BAND)

    def out_of_band_work_finished(self) -> None:
        """The worker is idle from now on."""
        self._idle_since = monotonic_ns()
        self._write_header(_SERVING)

    def worker_ended(self) -> None:
        """The slot is free."""
        self._write_header(_FREE)

    def _write_header(self, state: int, running: int = 0) -> None:
        _HEADER.pack_into(
            self._board, self._offset,
            state, self._pid, running, self._capacity, self.requests, self._busy_since, self._idle_since,
            self._hidden_deadline,
        )  # fmt: skip


class HiddenCell:
    """As CellWriter, for a thread that has no cell: of its request only the deadline is written, if it is the first."""

    def __init__(self, slot: "SharedSlotWriter", thread: int) -> None:
        self._slot = slot
        self._thread = thread

    def fill(self, head: bytes, since: int, deadline: int) -> None:
        """A request has been accepted."""
        if deadline:
            self._slot.set_hidden_deadline(self._thread, deadline)

    def clear(self) -> None:
        """The request is over."""
        self._slot.set_hidden_deadline(self._thread, 0)


AnyCell = Union[CellWriter, HiddenCell]


class SharedSlotWriter(SlotWriter):
    """The slot of a worker with threads. Any thread may call `request_started` and `request_finished`.

    Each thread has a cell of its own, as long as there are some. Invariants: `_running` is how many requests have
    started and not finished; it and the header change under `_lock`; `_hidden_deadline` is the first of
    `_hidden_deadlines`, or 0.
    """

    def __init__(self, board: mmap.mmap, offset: int, capacity: int) -> None:
        super().__init__(board, offset, capacity)
        self._lock = _thread.allocate_lock()
        self._running = 0
        self._hidden_deadlines: Dict[int, int] = {}

    def cell_of(self, thread: int) -> AnyCell:
        """Return the cell of a thread, counted from 0."""
        return self._cells[thread] if thread < len(self._cells) else HiddenCell(self, thread)

    def set_hidden_deadline(self, thread: int, deadline: int) -> None:
        """The deadline of a thread without a cell, in ns; 0: it has none."""
        with self._lock:
            if deadline:
                self._hidden_deadlines[thread] = deadline
            elif self._hidden_deadlines.pop(thread, 0) == 0:
                return
            self._hidden_deadline = min(self._hidden_deadlines.values()) if self._hidden_deadlines else 0
            self._write_header(_SERVING, self._running)

    @property
    def started(self) -> int:
        """How many requests have started."""
        with self._lock:
            return self.requests + self._running

    def request_started(self) -> None:
        with self._lock:
            if not self._running:
                self._busy_since = monotonic_ns()
            self._running += 1
            self._write_header(_SERVING, self._running)

    def request_finished(self, served: bool) -> None:
        with self._lock:
            self.requests += served
            self._running -= 1
            if not self._running:
                self._idle_since = monotonic_ns()
            self._write_header(_SERVING, self._running)
