"""Brings to rest what an event has touched: settles groups, gives turns, and keeps the books of what there is.

An event costs what it touches: only the groups that it has touched are settled, and only theirs are the deadlines and
records that are looked at anew.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import AbstractSet, Any, Iterable, Optional

from spawner.pool.capacity import Capacity, Victim
from spawner.pool.deadlines import Deadlines
from spawner.pool.effects import DropGroup, ForkWorker, StartProcess
from spawner.pool.group import Group
from spawner.pool.policies import settling, timeouts
from spawner.pool.policies.settling import Start
from spawner.pool.process import Process
from spawner.pool.registry import Registry
from spawner.pool.states import ProcessKind


@dataclass(frozen=True)
class Changes:
    """What may have changed; nothing else has. Some of it may be gone, and some as it was.

    :ivar groups: keys.
    :ivar processes: process ids.
    """

    groups: AbstractSet[str]
    processes: AbstractSet[int]


class Reconciler:
    """What all events of a pool have in common.

    Invariant: between two events nothing is touched and not settled, and every deadline is in `deadlines`.
    """

    def __init__(self, registry: Registry[Any, Any], capacity: Capacity) -> None:
        self.deadlines = Deadlines()
        self._registry = registry
        self._capacity = capacity
        self._ids = itertools.count(1)
        self._unsettled: dict[str, Group] = {}
        self._settled: dict[str, Group] = {}  # in this event
        self._changed_groups: set[str] = set()
        self._changed_processes: set[int] = set()

    # What an event does

    def touch(self, group: Group) -> None:
        """A group has changed, and is to be settled at the end of the event."""
        self._unsettled[group.key] = group

    def enter(self, group: Group, process: Process) -> int:
        """A process is one of a group's from now on.

        :param process: its `process_id` is set here.
        :returns: the id.
        """
        process.process_id = next(self._ids)
        group.add(process)
        self._registry.processes.enter(process.process_id, process)
        self.note_pid(process)
        self._capacity.note(group)
        return process.process_id

    def note_pid(self, process: Process) -> None:
        """A process has its pid."""
        if process.pid:
            self._registry.processes.set_pid(process.process_id, process.pid)

    def remove(self, group: Group, process: Process, status: Optional[int] = None) -> None:
        """A process has ended, or was given up as a start.

        :param status: as waitpid gives it, None if nobody could tell.
        """
        group.remove(process, status)
        self._registry.processes.end(process.process_id)
        self._changed_processes.add(process.process_id)
        self.touch(group)

    def retire_victims(self, victims: Iterable[Victim], now: float) -> None:
        """Have workers go for the good of others."""
        for victim in victims:
            group = self._registry.groups.entries[victim.process.key]
            if victim.how:
                group.give_up(victim.process, victim.how, victim.reason, now)
            else:
                group.retire(victim.process, now)
            self.touch(group)

    # What follows it

    def settle(self, now: float, *touched: Group) -> None:
        """Settle what was touched, then let those that want a worker take their turns, until nothing moves.

        Turns are taken in the order of asking, and what one of them touches is settled before the next.
        """
        for group in touched:
            self.touch(group)
        self._settle_touched(now)
        moved = not self._capacity.closed
        while moved:
            moved = False
            for key in self._capacity.line():
                if self._capacity.is_in_line(key):
                    moved = self._take_turn(self._registry.groups.entries[key], now) or moved
                    self._settle_touched(now)
        self._look_anew()

    def _settle_touched(self, now: float) -> None:
        while self._unsettled:
            group = self._unsettled.pop(next(iter(self._unsettled)))
            settling.settle(group, self._capacity, now)
            self._capacity.note(group)
            self._settled[group.key] = group
            if group.has_ended:
                self._registry.groups.end(group.key)
                self._capacity.forget(group.key)
                group.emit(DropGroup(group.key))

    def _take_turn(self, group: Group, now: float) -> bool:
        """Let a group that waits take one step. False if there is no worker that it can start now."""
        self._settled[group.key] = group
        start = settling.next_start(group, self._capacity, now)
        if start is not None and start.kind is ProcessKind.PRELOADER:
            self._start(group, start, now)
            start = settling.next_start(group, self._capacity, now)  # meanwhile it may fork from an older one
        if start is None:
            return False
        self.retire_victims(start.victims, now)
        self._start(group, start, now)
        self._capacity.leave(group.key)  # the next one comes when all others who wait have had their turn
        self.touch(group)
        return True

    def _start(self, group: Group, start: Start, now: float) -> None:
        process = Process(0, group.key, start.kind, start.generation, now, start.slot)
        process.single_request = group.always_restart
        process_id = self.enter(group, process)
        if start.preloader is None:
            values = (start.kind, start.generation, start.slot, process.single_request)
            group.emit(StartProcess(group.key, process_id, *values))
        elif start.slot is not None:
            start.preloader.idle_since = now
            values_of_fork = (start.preloader.process_id, start.generation, start.slot)
            group.emit(ForkWorker(group.key, process_id, *values_of_fork))

    def _look_anew(self) -> None:
        """Move the deadlines of the groups that were settled, and note that they have changed."""
        for key, group in self._settled.items():
            group.note_full_pool(self._capacity.is_full_for(group))
            self.deadlines.set(key, None if group.has_ended else timeouts.next_due(group, self._capacity))
            self._changed_groups.add(key)
            self._changed_processes.update(group.processes)
        self._settled.clear()

    def take_changes(self) -> Changes:
        """What may have changed since the last call."""
        changes = Changes(self._changed_groups, self._changed_processes)
        self._changed_groups, self._changed_processes = set(), set()
        return changes

    def check_invariants(self) -> None:
        """To be called between two events.

        :raises AssertionError: a rule does not hold.
        """
        assert not self._unsettled, "groups that were touched and not settled: %s" % list(self._unsettled)
        dues = {key: timeouts.next_due(one, self._capacity) for key, one in self._registry.groups.entries.items()}
        self.deadlines.check_invariants({key: due for key, due in dues.items() if due is not None})
