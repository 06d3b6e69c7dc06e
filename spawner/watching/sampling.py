"""Looks at the scoreboards and queues of apps that have workers: often while requests come in, else seldom."""

from __future__ import annotations

import asyncio
import select
import time
from typing import Optional

from spawner.daemon.world import Feed, World
from spawner.pool.group import Group
from spawner.pool.process import Process, Reading
from spawner.processes.group_resources import GroupResources

_SHORTEST_LIMIT = 1.0  # seconds

# Arguments of Pool.sample but for the time.
Sample = tuple[str, dict[int, Reading], bool]


class Sampler:
    """Feeds `Pool.sample`. It has no timer while no app has a worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, world: World, feed: Feed) -> None:
        self._loop = loop
        self._world = world
        self._feed = feed
        self._timer: Optional[asyncio.TimerHandle] = None

    def wake(self) -> None:
        """Begin to look, if there is something to look at."""
        if self._timer is None and self._groups():
            self._timer = self._loop.call_later(self._interval(time.monotonic()), self._look)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _groups(self) -> list[Group]:
        """Those with a worker in a request, or that may be: one that retires is looked at to its end."""
        groups = self._world.pool.groups.values()
        return [group for group in groups if any(p.serving or p.retiring for p in group.workers())]

    def _interval(self, now: float) -> float:
        configuration = self._world.configuration
        latest = max((group.last_active for group in self._groups()), default=0.0)
        active = now - latest < configuration.active_window
        return configuration.active_interval if active else configuration.idle_interval

    def _look(self) -> None:
        self._timer = None
        self.look()
        self.wake()

    def look(self) -> None:
        """Look at every app that has workers, now."""
        groups = [(group, self._world.groups[group.key]) for group in self._groups() if group.key in self._world.groups]
        waiting = _waiting([shared for _, shared in groups])
        samples = [_sample(group, shared, shared.listener.fileno() in waiting) for group, shared in groups]
        self._feed(self._pool_samples, samples)

    def is_busy(self, process: Process) -> bool:
        """Whether a worker is in a request at this moment."""
        shared = self._world.groups.get(process.key)
        if shared is None or process.slot is None:
            return process.busy
        slot = shared.scoreboard.read(process.slot)
        return slot.pid == process.pid and slot.busy

    def _pool_samples(self, samples: list[Sample], now: float) -> None:
        """All of a look is one event: what follows every event is done once."""
        for key, readings, waiting in samples:
            if key in self._world.pool.groups:
                self._world.pool.sample(key, readings, waiting, now)


def _sample(group: Group, shared: GroupResources, waiting: bool) -> Sample:
    now = time.monotonic()
    readings: dict[int, Reading] = {}
    for process in group.workers():
        if process.slot is None or not process.pid:
            continue
        slot = shared.scoreboard.read(process.slot)
        if slot.pid == process.pid:
            # A worker that writes a time to come would never be idle: it has the present one at most.
            idle_since = min(slot.idle_since, now)
            # The shortest PassengerMaxRequestTime is a second: until then nobody has to look at the requests.
            may_be_late = slot.running > 0 and now - slot.busy_since >= _SHORTEST_LIMIT
            overdue = may_be_late and shared.scoreboard.is_overdue(process.slot, slot.capacity, now)
            readings[process.process_id] = Reading(
                slot.running, max(1, slot.capacity), slot.requests, idle_since, slot.working, overdue
            )
    return group.key, readings, waiting


def _waiting(groups: list[GroupResources]) -> set[int]:
    """The listeners at which a connection waits."""
    poll = select.poll()
    for group in groups:
        poll.register(group.listener, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(0)}
