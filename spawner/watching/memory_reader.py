"""Reads how much memory processes have: /proc/<pid>/smaps_rollup (proc(5), Linux 4.14 and newer), in threads.

The kernel walks the memory map of the process for it: some 20 ms for each GB, or without end while the map is locked.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass
from typing import Callable, Iterable, Mapping, Optional

from spawner.system.linux import Identity, file_system_identity

_KIB = 1024
_FILE_SIZE = 65_536  # bytes; the file has some 20 lines
_SLOW = 1.0  # seconds for one process, after which another thread goes on with the others
_MOST_THREADS = 5  # once the kernel blocks this many, no process's memory can be read any more

# Sizes in bytes by their names in smaps_rollup, such as `Pss`.
MemorySizes = Mapping[str, int]
# A pid, and the user that the process runs as, if that is known.
Target = tuple[int, Optional[Identity]]
ReadSizes = Callable[[int, Optional[Identity]], Optional[MemorySizes]]


def read_memory_sizes(pid: int, identity: Optional[Identity] = None) -> Optional[MemorySizes]:
    """How much memory a process has. It may block: MemoryReader calls it in its threads.

    :param identity: the user that it runs as, if known: in a container, root may read its own processes only.
    :returns: None if the process has ended or may not be read.
    """
    try:
        try:
            return _read_smaps_rollup(pid)
        except PermissionError:
            if identity is None:
                return None
            with file_system_identity(identity):
                return _read_smaps_rollup(pid)
    except (OSError, ValueError):
        return None


def _read_smaps_rollup(pid: int) -> MemorySizes:
    with open("/proc/%d/smaps_rollup" % pid, "rb", buffering=0) as file:
        lines = [line.split() for line in (file.read(_FILE_SIZE) or b"").splitlines()]
    return {words[0].rstrip(b":").decode(): int(words[1]) * _KIB for words in lines if words[2:] == [b"kB"]}


@dataclass
class _Read:
    """One process to be read. Only the thread that reads it writes `since`: CLOCK_MONOTONIC, 0 until then."""

    pid: int
    identity: Optional[Identity]
    result: "asyncio.Future[Optional[MemorySizes]]"
    since: float = 0.0

    @property
    def blocked_for(self) -> float:
        """How long the kernel has not answered, in seconds."""
        return time.monotonic() - self.since if self.since else 0.0


class MemoryReader:
    """Has no thread until the first read, and starts one more only while the kernel blocks all that there are.

    Invariant: one thread at a time reads a process; one whose read is blocked is not read again.
    Everything but `read` is called in the loop's thread.

    :param read: reads one process; may block.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, read: ReadSizes = read_memory_sizes) -> None:
        self._loop = loop
        self._read = read
        self._pending: dict[int, _Read] = {}
        self._queue: "queue.SimpleQueue[Optional[_Read]]" = queue.SimpleQueue()
        self._threads = 0
        self._timer: Optional[asyncio.TimerHandle] = None

    async def memory_of(self, targets: Iterable[Target], timeout: float) -> dict[int, Optional[MemorySizes]]:
        """The memory of processes, by pid.

        :param timeout: seconds without a further result, after which the rest is given up.
        :returns: the results: None for a process that has ended; without those whose read the kernel blocks.
        """
        reads = {pid: self._start_read(pid, identity) for pid, identity in targets if self.blocked_for(pid) < _SLOW}
        waiting, before = _unfinished(reads.values()), len(reads) + 1
        while 0 < len(waiting) < before:
            before = len(waiting)
            await asyncio.wait(waiting, timeout=timeout)
            waiting = _unfinished(reads.values())
        return {pid: read.result.result() for pid, read in reads.items() if read.result.done()}

    def blocked_for(self, pid: int) -> float:
        """For how many seconds the kernel has blocked the read of a process."""
        read = self._pending.get(pid)
        return read.blocked_for if read is not None else 0.0

    def close(self) -> None:
        """Read no more; threads that are blocked are not waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _ in range(self._threads):
            self._queue.put(None)
        self._threads = 0

    def _start_read(self, pid: int, identity: Optional[Identity]) -> _Read:
        read = self._pending.get(pid)
        if read is None:
            read = self._pending[pid] = _Read(pid, identity, self._loop.create_future())
            self._queue.put(read)
            if not self._threads:
                self._start_thread()
            if self._timer is None:
                self._timer = self._loop.call_later(_SLOW / 2, self._check_threads)
        return read

    def _check_threads(self) -> None:
        """Start another thread if reads wait and the kernel blocks every thread that there is."""
        blocked = sum(read.blocked_for >= _SLOW for read in self._pending.values())
        if blocked >= self._threads and len(self._pending) > blocked and self._threads < _MOST_THREADS:
            self._start_thread()
        self._timer = self._loop.call_later(_SLOW / 2, self._check_threads) if self._pending else None

    def _start_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._run, name="memory", daemon=True).start()

    def _finish(self, read: _Read, sizes: Optional[MemorySizes]) -> None:
        del self._pending[read.pid]
        if not read.result.done():
            read.result.set_result(sizes)

    # In a thread of its own

    def _run(self) -> None:
        while True:
            read = self._queue.get()
            if read is None:
                return
            read.since = time.monotonic()
            sizes = self._read(read.pid, read.identity)
            try:
                self._loop.call_soon_threadsafe(self._finish, read, sizes)
            except RuntimeError:  # the loop is closed: the spawner ends
                return


def _unfinished(reads: Iterable[_Read]) -> "list[asyncio.Future[Optional[MemorySizes]]]":
    """The results that may still come soon."""
    return [read.result for read in reads if not read.result.done() and read.blocked_for < _SLOW]
