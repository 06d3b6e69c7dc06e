"""What all apps share: the configuration, the places in the pool, the starts that may go on at the same time.

Nothing is started, retired or settled here: `Capacity` counts, keeps the line of those that wait, and names victims.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, Optional

from spawner.pool.group import Group
from spawner.pool.process import SLOTS, Process
from spawner.pool.registration import Configuration
from spawner.pool.states import GroupState

WAIT_FOR_IDLE_SECONDS = 5.0  # an app without workers waits so long for an idle one before a busy app gives one up
SLOW_START_SECONDS = 10.0  # a start that takes longer than this does not hold the starts of others up


@dataclass(frozen=True)
class Victim:
    """A worker that is to go so that another one may come.

    :ivar how: `idle` or `busy`; empty: its own app swaps it for a new one, and goes on wanting as many.
    :ivar reason: what its place is for.
    """

    process: Process
    how: str = ""
    reason: str = ""


@dataclass
class _Wait:
    """A group without workers found no place.

    :ivar ends_at: when it may take the place of a busy worker; seconds of CLOCK_MONOTONIC.
    :ivar may_take_busy: that moment has passed.
    """

    ends_at: float
    may_take_busy: bool = False


@dataclass
class _Holding:
    """What a group with processes counts for."""

    group: Group
    active: int = 0
    importing: int = 0
    one_more: int = 0


class Capacity:
    """The places and starts that the pool has to give.

    Invariant: the figures are what a count of every group gives; `note` keeps them so.

    :param parallel_starts: how many interpreters may import an app at the same time.
    :param is_busy: whether a worker is in a request at this moment.
    """

    def __init__(self, configuration: Configuration, parallel_starts: int, is_busy: Callable[[Process], bool]) -> None:
        self.is_busy = is_busy
        self._configuration = configuration
        self._parallel_starts = parallel_starts
        self._closed = False
        self._worker_count = 0
        self._importing = 0
        self._holdings: dict[str, _Holding] = {}
        self._line: dict[str, None] = {}
        self._waits: dict[str, _Wait] = {}
        self._refused: set[str] = set()  # groups that have found the pool full, until they have what they want
        self._one_more = 0
        # Workers that are too many and go when they are idle: those that a larger pool allowed, and the one more that a
        # restart has left. Invariant: no more than these are above max_pool_size and the one more of each group.
        self._excess = 0

    @property
    def configuration(self) -> Configuration:
        """What is in force."""
        return self._configuration

    def configure(self, configuration: Configuration) -> None:
        """The pool may have another size."""
        self._configuration = configuration
        self._excess = max(0, self._worker_count - self._max_pool_size)

    @property
    def _max_pool_size(self) -> int:
        return self._configuration.server.max_pool_size

    def close(self) -> None:
        """Nothing is started any more."""
        self._closed = True

    @property
    def closed(self) -> bool:
        """Whether everything ends."""
        return self._closed

    # What the groups hold

    @property
    def worker_count(self) -> int:
        """How many workers count against PassengerMaxPoolSize."""
        return self._worker_count

    @property
    def has_too_many(self) -> bool:
        """Whether there are more workers than the pool has places."""
        return self._worker_count > self._max_pool_size

    def note(self, group: Group) -> None:
        """Count a group anew; to be called whenever its processes have changed."""
        former = self._holdings.get(group.key, _Holding(group))
        holding = _Holding(group, len(group.active_workers()), _importing(group), group.one_more)
        self._worker_count += holding.active - former.active
        self._importing += holding.importing - former.importing
        self._one_more += holding.one_more - former.one_more
        if group.processes:
            self._holdings[group.key] = holding
        else:
            self._holdings.pop(group.key, None)
        if holding.one_more < former.one_more and self._worker_count > self._in_use:
            self._excess += 1

    @property
    def _in_use(self) -> int:
        """The places, with those above them that somebody has now. The one more that another group may have, but does
        not have yet, is not there for what this one has left: it would never get it.
        """
        used = sum(one.group.one_more > 0 and one.group.has_one_more for one in self._holdings.values())
        return self._max_pool_size + self._excess + used

    @property
    def _allowed(self) -> int:
        return self._max_pool_size + self._excess + self._one_more

    def forget(self, key: str) -> None:
        """A group is gone."""
        self._line.pop(key, None)
        self._waits.pop(key, None)
        self._refused.discard(key)

    def groups_with_processes(self) -> list[Group]:
        """Every group that has a process."""
        return [holding.group for holding in self._holdings.values()]

    def cap(self, group: Group) -> int:
        """The most workers that a group may have; 0 means no limit in both of the smaller caps."""
        server = self._configuration.server
        smaller = (group.registration.options.max_instances, server.max_instances_per_app)
        return min([server.max_pool_size, SLOTS, *(limit for limit in smaller if limit > 0)])

    # Turns

    def enter(self, key: str) -> None:
        """A group wants a worker: it takes its turn, at the end of the line if it is not there yet."""
        self._line.setdefault(key)

    def leave(self, key: str) -> None:
        """A group wants no worker, or has got one: it does not wait any more."""
        self._line.pop(key, None)
        self._waits.pop(key, None)

    def line(self) -> list[str]:
        """The groups that want a worker, in the order in which they have asked."""
        return list(self._line)

    def is_in_line(self, key: str) -> bool:
        """Whether a group wants a worker."""
        return key in self._line

    def lacks_place(self, key: str) -> bool:
        """Whether a group without workers waits because the pool is full."""
        return key in self._waits

    def wait_ends_at(self, key: str) -> Optional[float]:
        """When a group that lacks a place may take one from a busy app."""
        wait = self._waits.get(key)
        return None if wait is None or wait.may_take_busy else wait.ends_at

    def pass_time(self, key: str, now: float) -> None:
        """A group may have waited long enough."""
        wait = self._waits.get(key)
        if wait is not None and wait.ends_at <= now:
            wait.may_take_busy = True

    # Starts and places

    def may_import(self) -> bool:
        """Whether one more interpreter may import an app now. Starts that take long do not count."""
        return self._importing < self._parallel_starts

    def place_for(self, group: Group, now: float) -> Optional[list[Victim]]:
        """Find a place for one more worker of a group.

        :returns: those who have to go for it, or None: there is no place yet.
        """
        if self._worker_count < self._max_pool_size:
            self._refused.discard(group.key)
        if self._worker_count < self._max_pool_size + group.one_more:
            return []
        victim = self._swapped(group)
        if victim is None and not group.active_workers():
            victim = self._from_others(group)
            if victim is None:
                self._waits.setdefault(group.key, _Wait(now + WAIT_FOR_IDLE_SECONDS))
        if victim is None:
            self._refused.add(group.key)
        return None if victim is None else [victim]

    def is_full_for(self, group: Group) -> bool:
        """Whether a group has fewer workers than it is to have because the pool is full."""
        if len(group.active_workers()) >= group.sizing.target:
            self._refused.discard(group.key)
        return group.key in self._refused

    def _swapped(self, group: Group) -> Optional[Victim]:
        """In a full pool a restart replaces a worker without having one more for a moment.

        Direct spawning takes as long as an import, so it rather waits for those who have one more now.
        """
        outdated = group.outdated_workers()
        if group.state is not GroupState.RESTARTING or not outdated:
            return None
        if not group.uses_preloader and any(other.has_one_more for other in self.groups_with_processes()):
            return None
        return Victim(min(outdated, key=dispensability))

    def _from_others(self, group: Group) -> Optional[Victim]:
        """The longest idle worker; after some time without a place that of the app that has most, in a request or not.

        It finishes what it has. An app keeps its last one.
        """
        reason = "an app without workers: %s" % group.key
        idle = self._idle_workers()
        if idle:
            return Victim(idle[0], "idle", reason)
        wait = self._waits.get(group.key)
        if wait is None or not wait.may_take_busy:
            return None
        large = [other for other in self.groups_with_processes() if other.kept > 1 and other.serving_workers()]
        if not large:
            return None
        loser = max(large, key=lambda other: other.kept)
        return Victim(min(loser.serving_workers(), key=dispensability), "busy", reason)

    def shed(self) -> list[Victim]:
        """While there are more workers than the pool has places, idle ones go."""
        self._excess = max(0, min(self._excess, self._worker_count - self._max_pool_size))
        if not self._excess:
            return []
        victims = self._idle_workers()[: self._excess]
        self._excess -= len(victims)
        return [Victim(process, "idle", "a pool that has fewer places") for process in victims]

    def _idle_workers(self) -> list[Process]:
        """Those of any group but the ones that start or restart; whoever has been idle for longest comes first.

        What an app with a pinned release loses does not come back: its workers come last.
        """
        found = [(group.release.pinned is not None, process) for group, process in self._interruptible()]
        found = [(pinned, process) for pinned, process in found if not process.working and not self.is_busy(process)]
        return [process for _, process in sorted(found, key=lambda one: (one[0], one[1].idle_since))]

    def _interruptible(self) -> Iterator[tuple[Group, Process]]:
        for group in self.groups_with_processes():
            if group.state is GroupState.SERVING:
                for process in group.serving_workers():
                    yield group, process

    def check_invariants(self, groups: list[Group]) -> None:
        """To be called between two events.

        :param groups: every one of the pool.
        :raises AssertionError: a rule does not hold.
        """
        forgotten = {group.key for group in groups if group.processes} ^ self._holdings.keys()
        assert not forgotten, "groups whose processes were not counted: %s" % forgotten
        counted = sum(len(group.active_workers()) for group in groups)
        assert self._worker_count == counted, "%d workers, counted as %d" % (counted, self._worker_count)
        importing = sum(_importing(group) for group in groups)
        assert self._importing == importing, "%d imports, counted as %d" % (importing, self._importing)
        for group in groups:
            active, most = len(group.active_workers()), self.cap(group) + group.one_more
            assert active <= most, "%s: %d workers, %d allowed" % (group.key, active, most)
        assert self._one_more == sum(group.one_more for group in groups), "a group's one more was not counted"
        assert counted <= self._allowed, "%d workers in the pool, %d allowed" % (counted, self._allowed)
        assert self._line.keys() | self._waits.keys() | self._refused <= {group.key for group in groups}, (
            "a group that is gone waits"
        )


def dispensability(process: Process) -> tuple[bool, bool, float]:
    """By this the worker that is missed least comes first."""
    return not process.needs_replacement, process.busy, process.idle_since


def _importing(group: Group) -> int:
    return sum(one.imports_app and one.starting and not one.slow for one in group.processes.values())
