"""Reads the scoreboards and queues of apps that have workers: often while an app gets requests, else seldom.

Each app has its own pace: hundreds that nobody asks for cost nothing more because somebody asks for another one.
"""

from __future__ import annotations

import asyncio
import select
import time
from dataclasses import dataclass
from typing import Callable, Iterable, Optional, Sequence

from spawner.pool.group import Group
from spawner.pool.process import Process, Reading
from spawner.processes.app_process import AppRegistry
from spawner.processes.group_resources import GroupResources

_SHORTEST_REQUEST_TIME = 1.0  # seconds; the lowest PassengerMaxRequestTime: no request is overdue earlier


@dataclass(frozen=True)
class SamplingIntervals:
    """How often samples are taken; all times in seconds.

    :ivar active: between two samples of an app that gets requests.
    :ivar idle: between two samples of all apps.
    :ivar active_window: an app counts as getting requests for this time after the last one.
    """

    active: float
    idle: float
    active_window: float


@dataclass(frozen=True)
class GroupSample:
    """What one sample of a group shows.

    :ivar readings: of its workers, by the pool's process ids; workers that have not written yet are left out.
    :ivar waiting: whether a connection waits in the queue.
    """

    key: str
    readings: dict[int, Reading]
    waiting: bool


class ScoreboardSampler:
    """Has no timer while no app has a worker.

    :param on_samples: called with the samples of some or all groups that have workers.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        registry: AppRegistry,
        intervals: SamplingIntervals,
        on_samples: Callable[[Sequence[GroupSample]], None],
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._intervals = intervals
        self._on_samples = on_samples
        self._timer: Optional[asyncio.TimerHandle] = None
        self._all_at = 0.0  # when all are sampled next; seconds of CLOCK_MONOTONIC
        # The keys of groups with a worker that is, or may be, in a request: one that retires is sampled until it ends.
        self._sampled: dict[str, None] = {}

    def groups_changed(self, keys: Iterable[str]) -> None:
        """The pool has changed these groups: sample those that have workers from now on."""
        for key in keys:
            group = self._registry.groups.entry(key)
            if group is not None and any(process.serving or process.retiring for process in group.workers()):
                self._sampled[key] = None
            else:
                self._sampled.pop(key, None)
        if self._timer is None and self._sampled:
            self._timer = self._loop.call_later(self._interval(), self._sample_in_turn)

    def close(self) -> None:
        """Sample no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def sample(self) -> None:
        """Sample every group that has workers, now."""
        self._all_at = time.monotonic() + self._intervals.idle
        self._sample(self._groups())

    def _sample(self, found: Sequence[tuple[Group, GroupResources]]) -> None:
        waiting = _waiting([resources for _, resources in found])
        self._on_samples(
            [_sample_of(group, resources, resources.listener.fileno() in waiting) for group, resources in found]
        )

    def is_busy(self, process: Process) -> bool:
        """Whether a worker is in a request at this moment."""
        resources = self._registry.groups.handle(process.key)
        if resources is None or process.slot is None:
            return process.busy
        values = resources.scoreboard.read(process.slot)
        return values.pid == process.pid and values.busy

    def _groups(self) -> list[tuple[Group, GroupResources]]:
        groups = self._registry.groups
        found = [(groups.entry(key), groups.handle(key)) for key in self._sampled]
        return [(group, resources) for group, resources in found if group is not None and resources is not None]

    def _active_groups(self) -> list[tuple[Group, GroupResources]]:
        since = time.monotonic() - self._intervals.active_window
        return [(group, resources) for group, resources in self._groups() if group.last_active > since]

    def _interval(self) -> float:
        return self._intervals.active if self._active_groups() else self._intervals.idle

    def _sample_in_turn(self) -> None:
        self._timer = None
        active = self._active_groups()
        if active and time.monotonic() < self._all_at:
            self._sample(active)
        else:
            self.sample()
        self.groups_changed(())


def _sample_of(group: Group, resources: GroupResources, waiting: bool) -> GroupSample:
    now = time.monotonic()
    readings: dict[int, Reading] = {}
    for process in group.workers():
        if process.slot is None or not process.pid:
            continue
        values = resources.scoreboard.read(process.slot)
        if values.pid == process.pid:
            # A worker that writes a time in the future would never be idle for long: it counts as the present one.
            idle_since = min(values.idle_since, now)
            may_be_overdue = values.running > 0 and now - values.busy_since >= _SHORTEST_REQUEST_TIME
            scoreboard = resources.scoreboard
            overdue = scoreboard.overdue_requests(process.slot, values.cells, now) if may_be_overdue else ()
            readings[process.process_id] = Reading(
                values.running, max(1, values.capacity), values.requests, idle_since, values.working, overdue
            )
    return GroupSample(group.key, readings, waiting)


def _waiting(groups: Sequence[GroupResources]) -> set[int]:
    """The descriptors of the listeners at which a connection waits."""
    poll = select.poll()
    for resources in groups:
        poll.register(resources.listener, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(0)}
