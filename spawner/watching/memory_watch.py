"""Looks how much memory workers have whose app is limited (PassengerMemoryLimit, PassengerHardMemoryLimit)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Optional

from spawner.daemon.world import Feed, World
from spawner.pool.group import Group
from spawner.system.linux import Identity
from spawner.system.smaps import Shares
from spawner.watching.memory_reader import MemoryReader

_PATIENCE = 2.0  # seconds; what has not come by then is looked for again at the next look
_TELL = 10.0  # seconds that the kernel has to answer for one process before it is told that it does not


def counted(shares: Shares) -> int:
    """What counts for the limits: the share of memory that a process has, and what of it is swapped out, in bytes."""
    return shares.get("Pss", 0) + shares.get("SwapPss", 0)


@dataclass(frozen=True)
class _Subject:
    key: str
    process_id: int
    pid: int
    identity: Identity


class MemoryWatch:
    """Feeds `Pool.sample_memory`. It has no timer while no limited app has a worker.

    :param interval: seconds between two looks.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, world: World, feed: Feed, reader: MemoryReader, interval: float
    ) -> None:
        self._loop = loop
        self._world = world
        self._feed = feed
        self._reader = reader
        self._interval = interval
        self._timer: Optional[asyncio.TimerHandle] = None
        self._look: "Optional[asyncio.Task[None]]" = None  # the one that is under way
        self._told: set[int] = set()

    def wake(self) -> None:
        """Begin to look, if there is something to look at."""
        if self._timer is None and self._limited():
            self._timer = self._loop.call_later(self._interval, self._begin)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._look is not None:
            self._look.cancel()

    def _limited(self) -> list[Group]:
        groups = self._world.pool.groups.values()
        return [group for group in groups if _is_limited(group) and any(p.serving for p in group.workers())]

    def _begin(self) -> None:
        self._timer = None
        if self._look is None or self._look.done():
            self._look = self._loop.create_task(self._look_at(self._subjects()))
        self.wake()

    def _subjects(self) -> list[_Subject]:
        found = []
        for group in self._limited():
            for entry in group.workers():
                process = self._world.processes.get(entry.process_id)
                if entry.serving and process is not None and process.pid:
                    found.append(_Subject(group.key, entry.process_id, process.pid, process.identity))
        return found

    async def _look_at(self, subjects: list[_Subject]) -> None:
        known = await self._reader.memory_of([(one.pid, one.identity) for one in subjects], _PATIENCE)
        sizes: dict[str, dict[int, int]] = {}
        for subject in subjects:
            shares = known.get(subject.pid)
            if shares is not None:
                sizes.setdefault(subject.key, {})[subject.process_id] = counted(shares)
        for key, found in sizes.items():
            if key in self._world.pool.groups:
                self._feed(self._world.pool.sample_memory, key, found)
        self._tell_held(subjects)

    def _tell_held(self, subjects: list[_Subject]) -> None:
        """Say once of a process that it is not looked at, which no limit holds for then."""
        held = {one.pid: one for one in subjects if self._reader.held_for(one.pid) >= _TELL}
        self._told &= held.keys()
        text = "%s: the kernel does not say how much memory process %d has: PassengerMemoryLimit does not hold for it"
        for pid in held.keys() - self._told:
            self._world.log.error(3111, text % (held[pid].key, pid))
        self._told |= held.keys()


def _is_limited(group: Group) -> bool:
    options = group.registration.options
    return options.memory_limit > 0 or options.hard_memory_limit > 0
