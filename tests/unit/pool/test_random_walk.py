"""Whatever happens in whatever order, the pool keeps its rules and comes to rest."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spawner.errors import IllegalTransition
from spawner.process import Process
from spawner.states import (
    GROUP_TRANSITIONS,
    PROCESS_TRANSITIONS,
    GroupEvent,
    GroupState,
    ProcessEvent,
    ProcessKind,
    ProcessState,
    move,
)
from tests.unit.pool.world import World

NAMES = ("one", "two", "three")
KEYS = st.sampled_from(NAMES)
OPTIONS = st.fixed_dictionaries(
    {
        "spawn_method": st.sampled_from(["smart", "direct"]),
        "rolling_restarts": st.booleans(),
        "min_instances": st.integers(0, 2),
        "max_instances": st.integers(0, 2),
    }
)


class RandomWalk(RuleBasedStateMachine):
    """Requests, exits, failures, restarts, reloads, new spawners and time, in any order.

    `World` checks the invariants after every step; at the end everything must come to rest and serve.
    """

    @initialize(pool_size=st.integers(1, 4), each=st.tuples(OPTIONS, OPTIONS, OPTIONS))
    def start(self, pool_size: int, each: tuple[dict[str, Any], ...]) -> None:
        self.world = World(max_pool_size=pool_size, pool_idle_time=60)
        self.options = dict(zip(NAMES, each))
        self.epoch = 1
        for key in NAMES:
            self.world.register(key, **self.options[key])

    def choose(self, key: str, number: int, wanted: list[Process]) -> Process:
        return wanted[number % len(wanted)]

    @rule(key=KEYS)
    def request(self, key: str) -> None:
        if key in self.world.pool.groups and self.world.pool.groups[key].queue_watched:
            self.world.request(key)

    @rule(key=KEYS)
    def touch(self, key: str) -> None:
        if key in self.world.pool.groups:
            self.world.step(self.world.pool.restart, key)

    @rule(key=KEYS, busy=st.booleans(), waiting=st.booleans())
    def look(self, key: str, busy: bool, waiting: bool) -> None:
        if key in self.world.pool.groups:
            self.world.sample(key, busy, waiting)

    @rule(number=st.integers(0, 50))
    @precondition(lambda self: any(process.coming for process in self.world.pool.processes.values()))
    def come_up(self, number: int) -> None:
        coming = [process for process in self.world.pool.processes.values() if process.coming]
        self.world.come_up(coming[number % len(coming)])

    @rule(number=st.integers(0, 50))
    @precondition(lambda self: any(process.coming for process in self.world.pool.processes.values()))
    def fail(self, number: int) -> None:
        coming = [process for process in self.world.pool.processes.values() if process.coming]
        self.world.fail(coming[number % len(coming)])

    @rule(number=st.integers(0, 50))
    @precondition(lambda self: self.world.pool.processes)
    def die(self, number: int) -> None:
        processes = list(self.world.pool.processes.values())
        self.world.exit(processes[number % len(processes)], 9)

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(keys=st.sets(KEYS), pool_size=st.integers(1, 4), changed=st.none() | OPTIONS)
    def reload(self, keys: set[str], pool_size: int, changed: Optional[dict[str, Any]]) -> None:
        self.epoch += 1
        self.world.server = dataclasses.replace(self.world.server, max_pool_size=pool_size)
        self.world.step(self.world.pool.configure, self.world.server, self.epoch)
        for key in sorted(keys):
            self.options[key] = changed or self.options[key]
            self.world.register(key, epoch=self.epoch, **self.options[key])

    @rule(lost=st.sets(st.integers(0, 20)))
    def another_spawner(self, lost: set[int]) -> None:
        """This one is killed; the next one finds what was stored. Some processes end before it looks.

        A process of which nothing has been heard yet may be in no record.
        """
        self.world.adopt_all(lambda number, process: number not in lost)

    @invariant()
    def no_deadline_is_overdue_after_it_was_acted_on(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.advance(0.0)
        due = self.world.pool.next_deadline()
        assert due is None or due > self.world.now

    @invariant()
    def a_group_that_is_to_have_workers_has_one_or_one_is_coming_or_it_waits_for_its_turn(self) -> None:
        if not hasattr(self, "world"):
            return
        for group in self.world.pool.groups.values():
            if group.state in (GroupState.STARTING, GroupState.SERVING, GroupState.RESTARTING) and not group.active():
                preloading = any(p.coming and p.kind is ProcessKind.PRELOADER for p in group.processes.values())
                queued = group.key in self.world.pool.waiting_for_room or group.spawn_after > self.world.now
                assert preloading or queued, group.key

    def everything_comes_to_rest_and_serves(self) -> None:
        self.everything_comes_up()
        self.world.advance(61.0)  # longer than any back-off
        self.everything_comes_up()
        for key in list(self.world.pool.groups):
            self.world.sample(key, busy=False)
        for key in NAMES:
            if key not in self.world.pool.groups:
                self.world.register(key, epoch=self.epoch, **self.options[key])
            for _ in range(3):  # the first two may wait for room that an idle worker makes
                if self.world.pool.groups[key].queue_watched:
                    self.world.request(key)
                self.everything_comes_up()
            group = self.world.pool.groups[key]
            assert group.state is GroupState.SERVING, (key, group.state)
            assert group.spawn_generation == max(process.generation for process in group.processes.values())

    def everything_comes_up(self) -> None:
        for _ in range(200):
            moving = [p for p in self.world.pool.processes.values() if p.coming or p.retiring]
            if not moving:
                return
            self.world.come_up(moving[0]) if moving[0].coming else self.world.exit(moving[0])
        raise AssertionError("it does not come to rest")

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.everything_comes_to_rest_and_serves()
            self.world.step(self.world.pool.shut_down)
            while self.world.pool.processes:
                self.world.exit(next(iter(self.world.pool.processes.values())))
            assert not self.world.pool.groups


TestRandomWalk = RandomWalk.TestCase
TestRandomWalk.settings = settings(max_examples=40, stateful_step_count=40, deadline=None, derandomize=True)


def test_every_row_that_the_process_tables_lack_raises_and_names_state_and_event() -> None:
    for kind, table in PROCESS_TRANSITIONS.items():
        for state in ProcessState:
            for event in ProcessEvent:
                if (state, event) not in table:
                    check_illegal(table, kind.value, state, event)


def test_every_row_that_the_group_table_lacks_raises_and_names_state_and_event() -> None:
    for state in GroupState:
        for event in GroupEvent:
            if (state, event) not in GROUP_TRANSITIONS:
                check_illegal(GROUP_TRANSITIONS, "group", state, event)


def check_illegal(table: object, name: str, state: object, event: object) -> None:
    with pytest.raises(IllegalTransition) as caught:
        move(table, name, state, event)  # type: ignore[arg-type]
    assert str(state) in str(caught.value)
    assert str(event) in str(caught.value)
