"""The pool of app processes: events in, effects out. No clock, no socket, no signal in here.

Safety: active workers of a group <= its cap; all active workers <= PassengerMaxPoolSize (a restart may have one more,
and those that a larger one allowed go when they are idle);
no worker older than the generation that serves once a restart has completed; every process belongs to one group.
Progress: a waiting request and a free place mean that a start is under way; a group without workers and without a
start has its queue watched.
"""

from __future__ import annotations

from typing import AbstractSet, Any, Callable, Iterable, Mapping, Optional

from spawner.app_types import capabilities_of
from spawner.options import ServerOptions
from spawner.pool import snapshot
from spawner.pool.capacity import Capacity
from spawner.pool.effects import CreateGroup, Effect, FailWaiting, Outbox
from spawner.pool.group import WITHOUT_WORKERS, Group
from spawner.pool.policies import (
    adoption,
    autoscaling,
    limits,
    registering,
    restarts,
    start_failures,
    timeouts,
    work_turns,
)
from spawner.pool.policies.limits import FailedStart
from spawner.pool.process import Process, Reading, describe_status
from spawner.pool.reconciler import Changes, Reconciler
from spawner.pool.registration import Configuration, Registration
from spawner.pool.registry import Registry
from spawner.pool.release import PinnedRelease
from spawner.pool.states import GroupState, ProcessEvent
from spawner.start_failure import StartFailure


class Pool:
    """Every app group and every process of an app.

    :param server: the server-wide options.
    :param parallel_starts: how many interpreters may import an app at the same time.
    :param is_busy: whether a worker is in a request at this moment; without it the last sample says so.
    :param registry: where the pool enters what there is.
    :param disabled_capabilities: what is not used of any loader (spawner.conf).

    Each method is one event; `now` is seconds of CLOCK_MONOTONIC. What is to be done is collected and handed out by
    `take_effects`, in order. An event changes a group by a policy, and `Reconciler.settle` does what follows, once.
    """

    def __init__(
        self,
        server: ServerOptions,
        parallel_starts: int = 2,
        is_busy: Callable[[Process], bool] = lambda process: process.busy,
        registry: Optional[Registry[Any, Any]] = None,
        disabled_capabilities: AbstractSet[str] = frozenset(),
    ) -> None:
        self.registry: Registry[Any, Any] = registry if registry is not None else Registry()
        self.capacity = Capacity(Configuration(server), parallel_starts, is_busy)
        self.groups: Mapping[str, Group] = self.registry.groups.entries
        self.processes: Mapping[int, Process] = self.registry.processes.entries
        self._reconciler = Reconciler(self.registry, self.capacity)
        self._outbox = Outbox()
        self._disabled_capabilities = disabled_capabilities

    # What others ask

    @property
    def server(self) -> ServerOptions:
        """The server-wide options that are in force."""
        return self.capacity.configuration.server

    @property
    def epoch(self) -> int:
        """Which configuration is in force."""
        return self.capacity.configuration.epoch

    @property
    def worker_count(self) -> int:
        """How many workers serve or are starting, of all apps."""
        return self.capacity.worker_count

    def cap(self, key: str) -> int:
        """The most workers that a group may have."""
        return self.capacity.cap(self.groups[key])

    def groups_with_processes(self) -> list[Group]:
        """Every group that has a process: at most a few more than the pool has places, however many apps there are."""
        return self.capacity.groups_with_processes()

    @property
    def ending(self) -> bool:
        """Whether everything ends."""
        return self.capacity.closed

    def take_effects(self) -> list[Effect]:
        """What is to be done since the last call."""
        return self._outbox.take()

    def take_changes(self) -> Changes:
        """What may have changed since the last call: enough to keep a copy of every group and process up to date."""
        return self._reconciler.take_changes()

    def next_deadline(self) -> Optional[float]:
        """When `tick` is to be called at the latest, None if nothing is due ever."""
        return self._reconciler.deadlines.next()

    def snapshot(self, now: float) -> dict[str, Any]:
        """What `jumpseat status` shows, as plain data."""
        return {"groups": [snapshot.describe_group(one, self.capacity, now) for one in self.groups.values()]}

    # What httpd says

    def configure(self, server: ServerOptions, epoch: int, vhost_ids: AbstractSet[str], now: float) -> None:
        """A configuration was loaded. Apps whose `Registration.vhost_id` is not among `vhost_ids` end when idle."""
        former, newer = self.capacity.configuration, Configuration(server, epoch, vhost_ids)
        self.capacity.configure(newer)
        for group in self.groups.values():
            if group.registration.epoch == former.epoch or not newer.has_virtual_host(group.registration):
                group.last_active = max(group.last_active, now)
            if former.server.respawn_key() != server.respawn_key():
                restarts.restart(group, self.capacity, now)
            self._reconciler.touch(group)
        self._reconciler.settle(now)

    def register(self, registration: Registration, now: float) -> None:
        """A child of httpd has a request for this group."""
        group = self.groups.get(registration.key)
        if group is None:
            group = Group(registration, self._outbox, last_active=now)
            self.registry.groups.enter(group.key, group)
            group.emit(CreateGroup(group.key))
        registering.register(group, registration, self.capacity, now)
        self._reconciler.settle(now, group)

    def queue_overflowed(self, key: str, count: int, now: float) -> None:
        """httpd has answered so many requests 503, for the group's queue was full."""
        group = self.groups.get(key)
        if group is not None:
            autoscaling.queue_overflowed(group, count, now)

    # What is seen of the queue and of the workers

    def queue_readable(self, key: str, now: float) -> None:
        """A connection waits at a group that has no worker."""
        group = self.groups[key]
        if group.state is GroupState.CLOSING:
            return
        group.last_active = now
        if group.state is GroupState.FAILED and now < group.backoff.retry_at:
            group.emit(FailWaiting(key, group.start_failure()))
        elif group.state in WITHOUT_WORKERS:
            restarts.start(group, self.capacity)
        self._reconciler.settle(now, group)

    def capabilities_of(self, registration: Registration) -> frozenset[str]:
        """What httpd and the pool may use of the loader of an app.

        :raises OperatorError: there is no such loader.
        """
        return capabilities_of(registration.app_type, self._disabled_capabilities)

    def sample(self, key: str, readings: Mapping[int, Reading], waiting: bool, now: float) -> None:
        """What the scoreboard and the listening socket of a group show.

        :param readings: by process id; workers that have not written yet are left out.
        :param waiting: whether a connection waits in the queue.
        """
        group = self.groups[key]
        can_cancel = "cancel" in self.capabilities_of(group.registration)
        autoscaling.note_look(group, self.capacity, readings, waiting, can_cancel, now)
        work_turns.give_turn(group, self.capacity, now)
        self._reconciler.retire_victims(self.capacity.shed(), now)
        self._reconciler.settle(now, group)  # a worker that has become idle may be what another app waits for

    def sample_memory(self, key: str, bytes_by_process_id: Mapping[int, int], now: float) -> None:
        """How much memory the workers of a group have (PassengerMemoryLimit, PassengerHardMemoryLimit)."""
        group = self.groups[key]
        self._give_starts_up(limits.note_memory(group, bytes_by_process_id, now), now)
        self._reconciler.settle(now, group)

    # What the processes say

    def process_forked(self, process_id: int, pid: int, now: float) -> None:
        """A preloader has named a worker that it has forked, and that has not said hello yet."""
        group, process = self._find(process_id)
        process.set_pid(pid)
        self._reconciler.note_pid(process)
        self._reconciler.settle(now, group)

    def process_hello(self, process_id: int, pid: int, now: float) -> None:
        """A process has come up and given (the kernel's word for) its pid."""
        group, process = self._find(process_id)
        process.pid = pid
        process.on(ProcessEvent.HELLO)
        self._reconciler.note_pid(process)
        self._reconciler.settle(now, group)

    def process_loaded(self, process_id: int, now: float) -> None:
        """A preloader or direct process has imported the app."""
        group, process = self._find(process_id)
        process.on(ProcessEvent.LOADED)
        process.idle_since = now
        self._reconciler.settle(now, group)

    def worker_ready(self, process_id: int, now: float) -> None:
        """A worker accepts connections."""
        group, process = self._find(process_id)
        group.accept(process, now)
        if process.serving:
            restarts.worker_ready(group, self.capacity, process, now)
            work_turns.give_turn(group, self.capacity, now)
        self._reconciler.settle(now, group)

    def max_requests_reached(self, process_id: int, now: float) -> None:
        """A worker has served PassengerMaxRequests."""
        group, process = self._find(process_id)
        limits.max_requests_reached(group, process, now)
        self._reconciler.settle(now, group)

    def work_requested(self, process_id: int, now: float) -> None:
        """A worker has asked for out-of-band work."""
        group, process = self._find(process_id)
        work_turns.requested(group, self.capacity, process, now)
        self._reconciler.settle(now, group)

    def work_done(self, process_id: int, now: float) -> None:
        """A worker has done its out-of-band work."""
        group, process = self._find(process_id)
        work_turns.done(group, self.capacity, process, now)
        self._reconciler.settle(now, group)

    def start_failed(self, process_id: int, failure: StartFailure, now: float) -> None:
        """A process did not come up; it is gone, or the daemon sees to it that it goes."""
        process = self.processes.get(process_id)
        if process is not None:
            self._give_starts_up([FailedStart(process, failure)], now)
            self._reconciler.settle(now)

    def process_exited(self, process_id: int, status: Optional[int], now: float) -> None:
        """A process has ended.

        :param status: as waitpid gives it, None if nobody could tell.
        """
        if process_id not in self.processes:
            return
        group, process = self._find(process_id)
        if process.starting and not process.killed:
            summary = "the process ended (%s) before it was up" % describe_status(status)
            self._give_starts_up([FailedStart(process, StartFailure(process.start_step, summary))], now)
        else:
            if process.serving and not process.killed:
                start_failures.worker_ended(group, self.capacity, process, now)
            self._reconciler.remove(group, process, status)
        self._reconciler.settle(now)

    def _find(self, process_id: int) -> tuple[Group, Process]:
        process = self.processes[process_id]
        return self.groups[process.key], process

    def _give_starts_up(self, failed: Iterable[FailedStart], now: float) -> None:
        for one in failed:
            group, process = self._find(one.process.process_id)
            starting = process.starting
            self._reconciler.remove(group, process)
            if starting and group.state is not GroupState.CLOSING:
                start_failures.start_failed(group, self.capacity, process, one.failure, now)

    # Restart, deadlines, the end

    def restart(self, key: str, now: float, method: Optional[str] = None, start_if_cold: bool = False) -> int:
        """The app's restart file was touched, or somebody asked for it.

        :param method: `rolling`, `blocking`, or None: as configured.
        :param start_if_cold: start the app even if it has no process: somebody waits for the result.
        :returns: the generation that will answer for it (see `Progress`).
        """
        group = self.groups[key]
        generation = restarts.restart(group, self.capacity, now, method, start_if_cold)
        self._reconciler.settle(now, group)
        return generation

    def detach_process(self, process_id: int, now: float) -> None:
        """Somebody wants a process to finish what it has and go."""
        group, process = self._find(process_id)
        limits.detach(group, process, now)
        self._reconciler.settle(now, group)

    def user_changed(self, key: str, former: Iterable[int], now: float) -> None:
        """An app runs as another user from now on, and new requests come to its new processes only.

        :param former: the ids of the processes that run as the former user.
        """
        group = self.groups[key]
        restarts.retire_former_user(group, former, now)
        self._reconciler.settle(now, group)

    def set_always_restart(self, key: str, on: bool, now: float) -> None:
        """The file always_restart.txt of a group is there now, or it is gone."""
        group = self.groups[key]
        restarts.switch_always_restart(group, self.capacity, on, now)
        self._reconciler.settle(now, group)

    def tick(self, now: float) -> None:
        """Act on whatever deadline has passed."""
        for key in self._reconciler.deadlines.take_passed(now):
            group = self.groups[key]
            self._give_starts_up(timeouts.pass_time(group, self.capacity, now), now)
            self._reconciler.touch(group)
        self._reconciler.settle(now)

    def shut_down(self, deadline: float, now: float) -> None:
        """httpd has ended, or the spawner is to.

        :param deadline: when the processes are killed that have not ended.
        """
        self.capacity.close()
        for group in self.groups.values():
            group.close(now, deadline)
            self._reconciler.touch(group)
        self._reconciler.settle(now)

    def close_group(self, key: str, now: float) -> None:
        """Let a group end: every process retires, then the socket goes."""
        group = self.groups[key]
        group.close(now)
        self._reconciler.settle(now, group)

    # What an earlier spawner left

    def adopt_group(
        self,
        registration: Registration,
        generation: int,
        now: float,
        pinned: Optional[PinnedRelease] = None,
        always_restart: bool = False,
    ) -> None:
        """Enter a group whose listening socket and scoreboard were found in the descriptor store."""
        group = Group(registration, self._outbox, generation=generation, pinned=pinned, last_active=now)
        group.always_restart = always_restart
        self.registry.groups.enter(group.key, group)

    def adopt_process(self, process: Process) -> int:
        """Enter a process that an earlier spawner started.

        :param process: its `process_id` is set here.
        :returns: the id.
        """
        return self._reconciler.enter(self.groups[process.key], process)

    def drop_adopted(self, key: str) -> None:
        """A group cannot be taken over after all: neither it nor its processes were ever entered."""
        group = self.groups.get(key)
        if group is not None:
            for process_id in list(group.processes):
                del group.processes[process_id]
                self.registry.processes.end(process_id)
            self.capacity.note(group)
            self.registry.groups.end(key)

    def adoption_complete(self, now: float) -> None:
        """Every adopted group takes the state that its processes show, and goes on from there."""
        self.capacity.configure(self.capacity.configuration)  # notes how many are too many
        for group in self.groups.values():
            adoption.resume(group, now)
            self._reconciler.touch(group)
        self._reconciler.settle(now)

    def check_invariants(self) -> None:
        """The safety rules at the head of this file, and those beside the fields. To be called between two events.

        :raises AssertionError: one does not hold.
        """
        groups = list(self.groups.values())
        for group in groups:
            group.check_invariants()
            assert all(self.processes[number] is process for number, process in group.processes.items()), group.key
        assert sum(len(group.processes) for group in groups) == len(self.processes), "a process without a group"
        self.capacity.check_invariants(groups)
        self.registry.processes.check_invariants()
        self._reconciler.check_invariants()
