"""Looks how much memory workers have whose app is limited (PassengerMemoryLimit, PassengerHardMemoryLimit).

The kernel may take long for an answer, or for ever (a process whose memory map is locked), so that a thread asks.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Optional

from spawner.machine.linux import Identity, file_system_identity
from spawner.machine.smaps import shares_of
from spawner.pool.group import Group
from spawner.world import Feed, World

_PATIENCE = 10.0  # seconds for one process; then others are read by another thread
_MOST_STUCK = 4  # threads that wait for the kernel for so long; with more nobody is looked at any more


def memory_of(pid: int, identity: Identity) -> Optional[int]:
    """The share of memory that a process has, with what of it is swapped out (PSS and SwapPss), in bytes.

    :param identity: whom it runs as: in a container, root may look at its own processes only.
    :returns: None if it has gone or may not be looked at.
    """
    try:
        try:
            return _rollup(pid)
        except PermissionError:
            with file_system_identity(identity):
                return _rollup(pid)
    except OSError:
        return None


def _rollup(pid: int) -> int:
    shares = shares_of(pid)
    return shares.get("Pss", 0) + shares.get("SwapPss", 0)


@dataclass(frozen=True)
class _Subject:
    key: str
    process_id: int
    pid: int
    identity: Identity


@dataclass
class _Reader:
    """A thread and what it is at. Only the loop's thread writes `asked`, only the reader's `at` and `since`."""

    thread: Optional[threading.Thread] = None
    asked: "queue.SimpleQueue[Optional[list[_Subject]]]" = field(default_factory=queue.SimpleQueue)
    at: Optional[_Subject] = None
    since: float = 0.0


class MemoryWatch:
    """Feeds `Pool.sample_memory`. It has no timer while no limited app has a worker, and no thread before that.

    :param interval: seconds between two looks.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, world: World, feed: Feed, interval: float) -> None:
        self._loop = loop
        self._world = world
        self._feed = feed
        self._interval = interval
        self._timer: Optional[asyncio.TimerHandle] = None
        self._reader: Optional[_Reader] = None
        self._busy = False  # a look has been asked for and has not come back
        self._stuck: list[_Reader] = []
        self.read: Callable[[int, Identity], Optional[int]] = memory_of

    def wake(self) -> None:
        """Begin to look, if there is something to look at."""
        if self._timer is None and self._limited():
            self._timer = self._loop.call_later(self._interval, self._look)

    def close(self) -> None:
        """Look no more; a thread that waits for the kernel is not waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reader is not None:
            self._reader.asked.put(None)
            self._reader = None

    def _limited(self) -> list[Group]:
        groups = self._world.pool.groups.values()
        return [group for group in groups if _is_limited(group) and any(p.serving for p in group.workers())]

    def _look(self) -> None:
        self._timer = None
        if self._busy:
            self._give_up_if_stuck()
        self._stuck = [reader for reader in self._stuck if reader.thread is not None and reader.thread.is_alive()]
        if not self._busy and len(self._stuck) < _MOST_STUCK:
            subjects = self._subjects()
            if subjects:
                self._busy = True
                self._started().asked.put(subjects)
        self.wake()

    def _subjects(self) -> list[_Subject]:
        stuck = {reader.at.pid for reader in self._stuck if reader.at is not None}
        found = []
        for group in self._limited():
            for entry in group.workers():
                process = self._world.processes.get(entry.process_id)
                if entry.serving and process is not None and process.pid and process.pid not in stuck:
                    found.append(_Subject(group.key, entry.process_id, process.pid, process.identity))
        return found

    def _started(self) -> _Reader:
        if self._reader is None:
            reader = self._reader = _Reader()
            reader.thread = threading.Thread(target=self._run, args=(reader,), name="memory", daemon=True)
            reader.thread.start()
        return self._reader

    def _give_up_if_stuck(self) -> None:
        reader = self._reader
        if reader is None or reader.at is None or time.monotonic() - reader.since < _PATIENCE:
            return
        text = "%s: the kernel does not say how much memory process %d has: PassengerMemoryLimit does not hold for it"
        self._world.log.error(3111, text % (reader.at.key, reader.at.pid))
        reader.asked.put(None)
        self._stuck.append(reader)
        self._reader, self._busy = None, False

    # In the reader's thread

    def _run(self, reader: _Reader) -> None:
        while True:
            subjects = reader.asked.get()
            if subjects is None:
                return
            found: dict[str, dict[int, int]] = {}
            for subject in subjects:
                reader.since = time.monotonic()
                reader.at = subject
                size = self.read(subject.pid, subject.identity)
                if size is not None:
                    found.setdefault(subject.key, {})[subject.process_id] = size
            reader.at = None
            try:
                self._loop.call_soon_threadsafe(self._found, reader, found)
            except RuntimeError:  # the loop has been closed: everything ends
                return

    # In the loop's thread again

    def _found(self, reader: _Reader, found: dict[str, dict[int, int]]) -> None:
        if reader is not self._reader:
            return
        self._busy = False
        for key, sizes in found.items():
            if key in self._world.pool.groups:
                self._feed(self._world.pool.sample_memory, key, sizes)


def _is_limited(group: Group) -> bool:
    options = group.registration.options
    return options.memory_limit > 0 or options.hard_memory_limit > 0
