"""Whatever happens in whatever order, the pool keeps its rules and comes to rest."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spawner.pool import effects
from spawner.pool.process import Process
from spawner.pool.states import (
    GroupState,
    ProcessKind,
    ProcessState,
)
from tests.unit.pool.world import World

NAMES = ("one", "two", "three")
KEYS = st.sampled_from(NAMES)
OPTIONS = st.fixed_dictionaries(
    {
        "spawn_method": st.sampled_from(["smart", "direct"]),
        "rolling_restarts": st.booleans(),
        "min_instances": st.integers(0, 3),
        "max_instances": st.sampled_from([0, 0, 2, 3]),
        "resist_deployment_errors": st.booleans(),
        "max_requests": st.sampled_from([0, 10]),
        "memory_limit": st.sampled_from([0, 100]),
        "hard_memory_limit": st.sampled_from([0, 200]),
    }
)


class RandomWalk(RuleBasedStateMachine):
    """Requests, exits, failures, restarts, reloads, new spawners and time, in any order.

    `World` checks the invariants after every step; at the end everything must come to rest and serve.
    """

    @initialize(pool_size=st.integers(1, 5), each=st.tuples(OPTIONS, OPTIONS, OPTIONS), warm=st.booleans())
    def start(self, pool_size: int, each: tuple[dict[str, Any], ...], warm: bool) -> None:
        """`warm`: every app has had a request, so that a small pool is full; few walks come there by themselves."""
        self.world = World(max_pool_size=pool_size, pool_idle_time=60)
        self.options = dict(zip(NAMES, each))
        self.epoch = 1
        self.asked: dict[str, int] = {}  # restarts that somebody waits for: the generation
        for key in NAMES:
            self.world.register(key, **self.options[key])
            if warm:
                self.world.request(key)
                self.everything_comes_up()

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

    @rule(key=KEYS, method=st.sampled_from([None, "rolling", "blocking"]), start_if_cold=st.booleans())
    def ask_for_restart(self, key: str, method: Optional[str], start_if_cold: bool) -> None:
        group = self.world.pool.groups.get(key)
        if group is not None and group.state is not GroupState.CLOSING:
            self.asked[key] = self.world.restart(key, method, start_if_cold)

    @rule(key=KEYS, busy=st.booleans(), waiting=st.booleans(), overdue=st.booleans())
    def look(self, key: str, busy: bool, waiting: bool, overdue: bool) -> None:
        if key in self.world.pool.groups:
            self.world.sample(key, busy, waiting, overdue=overdue and busy)

    @rule(key=KEYS, megabytes=st.sampled_from([50, 150, 250]), which=st.integers(0, 3))
    def look_at_memory(self, key: str, megabytes: int, which: int) -> None:
        workers = [process for process in self.world.processes(key) if process.is_worker] if self.has(key) else []
        if workers:
            sizes = {workers[which % len(workers)].process_id: megabytes * 1_048_576}
            self.world.step(self.world.pool.sample_memory, key, sizes)

    @rule(key=KEYS, on=st.booleans())
    def always_restart(self, key: str, on: bool) -> None:
        if self.has(key):
            self.world.step(self.world.pool.set_always_restart, key, on)

    @rule(number=st.integers(0, 50))
    def detach(self, number: int) -> None:
        processes = list(self.world.pool.processes.values())
        if processes:
            self.world.step(self.world.pool.detach_process, processes[number % len(processes)].process_id)

    @rule(number=st.integers(0, 50), what=st.sampled_from(["max_requests_reached", "work_requested", "work_done"]))
    def say(self, number: int, what: str) -> None:
        speaking = [p for p in self.world.pool.processes.values() if p.serving or (p.is_worker and p.retiring)]
        if speaking:
            event = getattr(self.world.pool, what)
            self.world.step(event, speaking[number % len(speaking)].process_id)

    @rule(key=KEYS)
    def overflow(self, key: str) -> None:
        self.world.step(self.world.pool.queue_overflowed, key, 3)

    def has(self, key: str) -> bool:
        return key in self.world.pool.groups

    @rule(number=st.integers(0, 50))
    @precondition(lambda self: any(process.starting for process in self.world.pool.processes.values()))
    def come_up(self, number: int) -> None:
        starting = [process for process in self.world.pool.processes.values() if process.starting]
        self.world.come_up(starting[number % len(starting)])

    @rule(number=st.integers(0, 50))
    @precondition(lambda self: self.unheard())
    def be_forked(self, number: int) -> None:
        process = self.unheard()[number % len(self.unheard())]
        self.world.step(self.world.pool.process_forked, process.process_id, next(self.world.pids))

    def unheard(self) -> list[Process]:
        workers = [p for p in self.world.pool.processes.values() if p.kind is ProcessKind.WORKER]
        return [process for process in workers if process.state is ProcessState.SPAWNED]

    @rule(number=st.integers(0, 50))
    @precondition(lambda self: any(process.starting for process in self.world.pool.processes.values()))
    def fail(self, number: int) -> None:
        starting = [process for process in self.world.pool.processes.values() if process.starting]
        self.world.fail(starting[number % len(starting)])

    @rule(number=st.integers(0, 50))
    @precondition(lambda self: self.world.pool.processes)
    def die(self, number: int) -> None:
        processes = list(self.world.pool.processes.values())
        self.world.exit(processes[number % len(processes)], 9)

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(keys=st.sets(KEYS), pool_size=st.integers(1, 4), changed=st.none() | OPTIONS, vhost_ids=st.sets(KEYS))
    def reload(self, keys: set[str], pool_size: int, changed: Optional[dict[str, Any]], vhost_ids: set[str]) -> None:
        self.epoch += 1
        self.world.server = dataclasses.replace(self.world.server, max_pool_size=pool_size)
        self.world.step(self.world.pool.configure, self.world.server, self.epoch, vhost_ids)
        for key in sorted(keys):
            self.options[key] = changed or self.options[key]
            self.world.register(key, epoch=self.epoch, **self.options[key])

    @rule(lost=st.sets(st.integers(0, 20)))
    def another_spawner(self, lost: set[int]) -> None:
        """This one is killed; the next one finds what was stored. Some processes end before it looks.

        A process of which nothing has been heard yet may be in no record.
        """
        self.asked.clear()
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
            wanted = group.state in (GroupState.STARTING, GroupState.SERVING, GroupState.RESTARTING)
            if wanted and not group.active_workers():
                assert group.state is not GroupState.SERVING, group.key
                preloading = any(p.starting and p.kind is ProcessKind.PRELOADER for p in group.processes.values())
                queued = group.key in self.world.pool.capacity.line() or group.backoff.start_after > self.world.now
                assert preloading or queued, group.key

    @invariant()
    def one_worker_of_a_group_at_most_is_at_work_and_none_goes_on_when_it_is_overdue(self) -> None:
        if hasattr(self, "world"):
            assert not any(process.overdue and process.serving for process in self.world.pool.processes.values())

    @invariant()
    def a_restart_that_somebody_waits_for_is_under_way_or_was_answered(self) -> None:
        if not hasattr(self, "world"):
            return
        for key, generation in list(self.asked.items()):
            group = self.world.pool.groups.get(key)
            said = [p for p in self.world.effects_of(effects.Progress) if p.key == key and p.generation >= generation]
            if any(p.stage in ("completed", "failed") for p in said):
                del self.asked[key]
            else:
                assert group is not None
                assert group.release.restart is not None or group.release.queued is not None, key

    def everything_comes_to_rest_and_serves(self) -> None:
        self.everything_comes_up()
        for key in NAMES:
            if self.has(key):
                self.world.step(self.world.pool.set_always_restart, key, False)
        self.world.advance(61.0)  # longer than any back-off
        self.everything_comes_up()
        for key in NAMES:
            if key not in self.world.pool.groups:
                self.world.register(key, epoch=self.epoch, **self.options[key])
            for _ in range(3):  # the first two may wait for room that an idle worker makes
                for other in list(self.world.pool.groups):
                    self.world.sample(other, busy=False)
                if self.world.pool.groups[key].queue_watched:
                    self.world.request(key)
                self.everything_comes_up()
            group = self.world.pool.groups[key]
            assert group.state in (GroupState.SERVING, GroupState.RESTARTING), (key, group.state)
            assert group.serving_workers(), key
            assert group.state is GroupState.SERVING, (key, group.state)
            assert len({process.generation for process in group.serving_workers()}) == 1, key
            if group.release.pinned is None:
                assert group.release.wanted == max(process.generation for process in group.processes.values())
        assert not self.asked or not self.unanswered()

    @rule()
    def come_to_rest(self) -> None:
        """What a restart or a smaller limit has left beyond the pool's size goes as soon as it is idle.

        Soon, before the idle time of the pool ends: that would hide what stays.
        """
        self.everything_comes_up()
        for key in list(self.world.pool.groups):
            self.world.sample(key, busy=False)
        self.everything_comes_up()
        workers = [one for group in self.world.pool.groups.values() for one in group.active_workers()]
        assert len(workers) <= self.world.pool.server.max_pool_size

    @rule(key=KEYS)
    def deploy(self, key: str) -> None:
        """A rolling restart of an app that serves, in a pool that is at rest and full, as on most machines.

        One step, because walks of single steps hardly ever come there: of 342 restarts none did.
        """
        self.come_to_rest()
        if self.has(key) and self.world.pool.groups[key].state is GroupState.SERVING:
            self.world.restart(key, "rolling")
            self.come_to_rest()

    def unanswered(self) -> list[str]:
        self.a_restart_that_somebody_waits_for_is_under_way_or_was_answered()
        return list(self.asked)

    def everything_comes_up(self) -> None:
        for _ in range(300):
            for process in list(self.world.pool.processes.values()):
                if process.serving and process.work_granted_at:
                    self.world.step(self.world.pool.work_done, process.process_id)
            moving = [p for p in self.world.pool.processes.values() if p.starting or p.retiring]
            if not moving:
                return
            self.world.come_up(moving[0]) if moving[0].starting else self.world.exit(moving[0])
        raise AssertionError("it does not come to rest")

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.everything_comes_to_rest_and_serves()
            self.world.step(self.world.pool.shut_down, self.world.now + 3)
            while self.world.pool.processes:
                self.world.exit(next(iter(self.world.pool.processes.values())))
            assert not self.world.pool.groups


TestRandomWalk = RandomWalk.TestCase
TestRandomWalk.settings = settings(max_examples=120, stateful_step_count=50, deadline=None, derandomize=True)
