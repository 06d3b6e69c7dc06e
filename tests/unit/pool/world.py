"""A world for the pool: carries its effects out in memory and lets a test decide what happens next."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Optional, TypeVar

from spawner.options import AppOptions, ServerOptions
from spawner.pool import effects
from spawner.pool.pool import Pool
from spawner.pool.process import OverdueRequest, Process, Reading
from spawner.pool.registration import Registration
from spawner.pool.states import ProcessKind, ProcessState
from spawner.start_failure import StartFailure

Of = TypeVar("Of")


class World:
    """A pool with a clock; every event is followed by the pool's own check of its invariants.

    :param disabled: capabilities that are not used of any loader.
    :param server: server-wide options that differ from the defaults.
    """

    def __init__(self, disabled: frozenset[str] = frozenset(), **server: Any) -> None:
        self.disabled = disabled
        self.now = 1000.0
        self.server = dataclasses.replace(ServerOptions(), **server)
        self.is_busy: Callable[[Process], bool] = lambda process: process.busy
        self.pool = self.new_pool()
        self.pool.configure(self.server, 1, frozenset(), self.now)
        self.seen: list[effects.Effect] = []
        self.kept: dict[object, object] = {}  # what a store would have of every group and process
        self.pids = iter(range(100, 10_000_000))

    def new_pool(self) -> Pool:
        """A pool without apps."""
        return Pool(self.server, 2, lambda process: self.is_busy(process), disabled_capabilities=self.disabled)

    def step(self, event: Callable[..., Any], *arguments: Any) -> list[effects.Effect]:
        """Feed an event, check the invariants, give the effects."""
        event(*arguments, self.now)
        self.pool.check_invariants()
        self.check_changes()
        new = self.pool.take_effects()
        self.seen.extend(new)
        return new

    def check_changes(self) -> None:
        """What a store keeps of groups and processes changes for those only that the pool names."""
        changes, now = self.pool.take_changes(), self.to_keep()
        different = {name for name in self.kept.keys() | now.keys() if self.kept.get(name) != now.get(name)}
        assert different <= changes.groups | changes.processes, "changes that were not named: %s" % different
        self.kept = now

    def to_keep(self) -> dict[object, object]:
        """What StateStore writes of each group and process."""
        kept: dict[object, object] = {}
        for group in self.pool.groups.values():
            release = group.release
            kept[group.key] = (group.registration, release.generation_to_store, release.pinned, group.always_restart)
        for process in self.pool.processes.values():
            marks = ("single_request", "max_requests_reached", "too_large", "overdue", "work_requested_at")
            kept[process.process_id] = (process.pid, process.state, [getattr(process, mark) for mark in marks])
        return kept

    def register(self, key: str = "app", epoch: int = 1, **options: Any) -> list[effects.Effect]:
        """A child of httpd registers the group."""
        return self.step(self.pool.register, self.registration(key, epoch, **options))

    @staticmethod
    def registration(key: str, epoch: int, **options: Any) -> Registration:
        """The message for a group."""
        return Registration(
            key, "/srv/" + key, "wsgi", "passenger_wsgi.py", "/srv/%s/public" % key, "", "example", "",
            dataclasses.replace(AppOptions(), **options), epoch, vhost_id=key,
        )  # fmt: skip

    def adopt_all(self, found: Callable[[int, Process], bool]) -> None:
        """Another spawner takes over, from what StateStore keeps: no targets, no failures, no times.

        :param found: whether a process, by its place and itself, is still there.
        """
        older, self.pool, self.kept = self.pool, self.new_pool(), {}
        configuration = older.capacity.configuration
        self.pool.configure(self.server, configuration.epoch, configuration.vhost_ids, self.now)
        for group in older.groups.values():
            kept = (group.release.pinned, group.always_restart)
            self.pool.adopt_group(group.registration, group.release.generation_to_store, self.now, *kept)
        for number, process in enumerate(older.processes.values()):
            if found(number, process):
                entry = Process(0, process.key, process.kind, process.generation, self.now, process.slot, process.pid)
                entry.state, entry.idle_since, entry.retired_at = process.state, self.now, self.now
                for mark in ("single_request", "max_requests_reached", "work_requested_at", "work_granted_at"):
                    setattr(entry, mark, getattr(process, mark))
                self.pool.adopt_process(entry)
        self.step(self.pool.adoption_complete)

    def restart(self, key: str = "app", method: Optional[str] = None, start_if_cold: bool = False) -> int:
        """Somebody asks for a restart: the generation that will answer for it."""
        generations: list[int] = []

        def event(now: float) -> None:
            generations.append(self.pool.restart(key, now, method, start_if_cold))

        self.step(event)
        return generations[0]

    def request(self, key: str = "app") -> list[effects.Effect]:
        """A connection waits at a group without workers."""
        return self.step(self.pool.queue_readable, key)

    def advance(self, seconds: float) -> list[effects.Effect]:
        """Let time pass, and the pool act on it."""
        self.now += seconds
        return self.step(self.pool.tick)

    def process(self, process_id: int) -> Process:
        """A process by its id."""
        return self.pool.processes[process_id]

    def processes(self, key: str = "app", kind: Optional[ProcessKind] = None) -> list[Process]:
        """The group's processes, of one kind or all."""
        group = self.pool.groups[key]
        return [process for process in group.processes.values() if kind in (None, process.kind)]

    def serving(self, key: str = "app") -> list[Process]:
        """The workers that accept."""
        return [process for process in self.processes(key) if process.serving]

    def starting_or_none(self, key: str = "app") -> Optional[Process]:
        """The first process of a group that is on its way up, if any."""
        return next((process for process in self.processes(key) if process.starting), None)

    def starting(self, key: str = "app") -> Process:
        """The first process of a group that is on its way up."""
        process = self.starting_or_none(key)
        assert process is not None, "nothing of %s is on its way up" % key
        return process

    def come_up(self, process: Process) -> None:
        """Let a process take its next step on the way up."""
        if process.state is ProcessState.SPAWNED:
            self.step(self.pool.process_hello, process.process_id, next(self.pids))
        elif process.state is ProcessState.LOADING:
            self.step(self.pool.process_loaded, process.process_id)
        else:
            self.step(self.pool.worker_ready, process.process_id)

    def all_up(self, key: str = "app") -> None:
        """Let everything that is starting come up, retiring processes end, until nothing moves."""
        while True:
            moving = [process for process in self.processes(key) if process.starting or process.retiring]
            if not moving:
                return
            process = moving[0]
            if process.starting:
                self.come_up(process)
            else:
                self.exit(process)

    def exit(self, process: Process, status: Optional[int] = 0) -> list[effects.Effect]:
        """A process ends."""
        return self.step(self.pool.process_exited, process.process_id, status)

    def fail(self, process: Process) -> list[effects.Effect]:
        """A process reports that it could not start."""
        return self.step(self.pool.start_failed, process.process_id, self.failure())

    @staticmethod
    def failure() -> StartFailure:
        """Why a start fails."""
        return StartFailure("import", "ImportError: no module", "Traceback ...", error_id="00000000")

    def sample(
        self, key: str = "app", busy: bool = False, waiting: bool = False, overdue: bool = False
    ) -> list[effects.Effect]:
        """The scoreboard shows every worker of the group busy (with one request) or idle."""
        workers = [process for process in self.processes(key) if process.is_worker]
        return self.look({process.process_id: int(busy) for process in workers}, waiting, key=key, overdue=overdue)

    def look(
        self,
        running: dict[int, int],
        waiting: bool = False,
        capacity: int = 1,
        key: str = "app",
        overdue: bool = False,
    ) -> list[effects.Effect]:
        """The scoreboard shows each of these workers, by id, in so many requests."""
        readings = {
            number: Reading(
                count, capacity, process.requests + count, process.idle_since, process.work_granted_at > 0,
                (OverdueRequest(0, 1),) if overdue else (),
            )
            for number, count in running.items()
            for process in [self.process(number)]
        }
        return self.step(self.pool.sample, key, readings, waiting)

    def measure(self, megabytes: list[tuple[Process, int]]) -> list[effects.Effect]:
        """So many megabytes of memory have these workers of one group."""
        sizes = {process.process_id: size * 1_048_576 for process, size in megabytes}
        return self.step(self.pool.sample_memory, megabytes[0][0].key, sizes)

    def hooks(self, name: str) -> list[int]:
        """The pids that a hook was run for so far."""
        return [effect.pid for effect in self.effects_of(effects.RunHook) if effect.name == name]

    def up(self, key: str = "app", **options: Any) -> None:
        """Register a group, have a first request, and all of it up."""
        self.register(key, **options)
        self.request(key)
        self.all_up(key)

    def effects_of(self, kind: type[Of]) -> list[Of]:
        """All effects of a kind so far."""
        return [effect for effect in self.seen if isinstance(effect, kind)]
