"""The pool of app processes: events in, effects out. No clock, no socket, no signal in here.

Safety: active workers of a group <= its cap; all active workers <= PassengerMaxPoolSize (a restart may have one more,
and those that a larger one allowed go when they are idle);
no worker older than the generation that serves once a restart has completed; every process belongs to one group.
Progress: a waiting request and room in the pool mean that a spawn is under way; a group without worker and without
spawn has its queue watched.
"""

from __future__ import annotations

import itertools
from typing import AbstractSet, Any, Callable, Mapping, Optional

from spawner.errors import InternalError
from spawner.options import ServerOptions
from spawner.pool import (
    adoption,
    always_restart,
    enrolment,
    evidence,
    failing,
    invariants,
    out_of_band_work,
    replacement,
    restarting,
    room,
    snapshot,
    spawning,
    upkeep,
)
from spawner.pool.effects import (
    DropGroup,
    Effect,
    FailWaiting,
    ForgetProcess,
    Log,
    Retire,
    RunHook,
    ServeDirect,
    UnwatchQueue,
    WatchQueue,
)
from spawner.pool.group import Group
from spawner.pool.process import Process, Reading, describe_status
from spawner.pool.registration import Registration
from spawner.pool.release import PinnedRelease
from spawner.pool.states import GroupEvent, GroupState, ProcessEvent, ProcessKind, ProcessState
from spawner.start_failure import StartFailure

_WAITING_STATES = (GroupState.COLD, GroupState.FAILED)


class Pool:
    """Every app group and every process of an app.

    :param server: the server-wide options.
    :param parallel_starts: how many interpreters may import an app at the same time.
    :param is_busy: whether a worker is in a request at this moment; without it the last sample says so.

    Each method is one event; `now` is seconds of CLOCK_MONOTONIC. What is to be done is collected and handed out by
    `take_effects`, in order.
    """

    def __init__(
        self,
        server: ServerOptions,
        parallel_starts: int = 2,
        is_busy: Callable[[Process], bool] = lambda process: process.busy,
    ) -> None:
        self.server = server
        self.is_busy = is_busy
        self.parallel_starts = parallel_starts
        self.epoch = 0
        self.vhost_ids: AbstractSet[str] = frozenset()
        self.groups: dict[str, Group] = {}
        self.processes: dict[int, Process] = {}
        self.waiting_for_room: dict[str, None] = {}
        self.ending = False
        # Invariant: at least as many as there are active workers above max_pool_size and the one for each restart.
        self.excess = 0
        self._ids = itertools.count(1)
        self._effects: list[Effect] = []

    # Effects

    def emit(self, effect: Effect) -> None:
        """Have the shell do something."""
        self._effects.append(effect)

    def log(self, level: str, key: str, number: int, text: str) -> None:
        """Have the shell log a line."""
        self.emit(Log(level, key, number, text))

    def take_effects(self) -> list[Effect]:
        """What has been asked for since the last call."""
        effects, self._effects = self._effects, []
        return effects

    # What httpd says

    def configure(self, server: ServerOptions, epoch: int, vhost_ids: AbstractSet[str], now: float) -> None:
        """A configuration was loaded. Apps whose `Registration.vhost_id` is not among `vhost_ids` end when idle."""
        switched = self.server.respawn_key() != server.respawn_key()
        former, self.server, self.epoch, self.vhost_ids = self.epoch, server, epoch, vhost_ids
        self.excess = max(0, self.worker_count() - server.max_pool_size)
        for group in list(self.groups.values()):
            if group.registration.epoch == former or group.registration.vhost_id not in vhost_ids:
                group.last_active = max(group.last_active, now)
            if switched:
                self.restart(group.key, now)
            else:
                self.settle(group, now)

    def register(self, registration: Registration, now: float) -> None:
        """A child of httpd has a request for this group."""
        self.settle(enrolment.enrol(self, registration, now), now)

    def queue_overflowed(self, key: str, count: int, now: float) -> None:
        """httpd has answered so many requests 503, for the group's queue was full."""
        if key in self.groups:
            evidence.overflow(self, self.groups[key], count, now)

    # What is seen of the queue and of the workers

    def queue_readable(self, key: str, now: float) -> None:
        """A connection waits at a group that has no worker."""
        group = self.groups[key]
        if group.state is GroupState.CLOSING:
            return
        group.last_active = now
        if group.state is GroupState.FAILED and now < group.retry_at:
            if group.failure is None:
                raise InternalError("app group %s failed without a failure" % key)
            self.emit(FailWaiting(key, group.failure))
        elif group.state in _WAITING_STATES:
            spawning.wake(self, group, now)

    def sample(self, key: str, readings: Mapping[int, Reading], waiting: bool, now: float) -> None:
        """What the scoreboard and the listening socket of a group show.

        :param readings: by process id; workers that have not written yet are left out.
        :param waiting: whether a connection waits in the queue.
        """
        group = self.groups[key]
        evidence.take(self, group, readings, waiting, now)
        out_of_band_work.consider(self, group, now)
        room.shrink(self, now)
        self.settle(group, now)  # a worker that has become idle may be what another app waits for

    def sample_memory(self, key: str, bytes_by_process_id: Mapping[int, int], now: float) -> None:
        """How much memory the workers of a group have (PassengerMemoryLimit, PassengerHardMemoryLimit)."""
        replacement.note_memory(self, self.groups[key], bytes_by_process_id, now)

    # What the processes say

    def process_forked(self, process_id: int, pid: int, now: float) -> None:
        """A preloader has named a worker that it has forked, and that has not said hello yet."""
        self.processes[process_id].set_pid(pid)

    def process_hello(self, process_id: int, pid: int, now: float) -> None:
        """A process has come up and given (the kernel's word for) its pid."""
        process = self.processes[process_id]
        process.pid = pid
        process.on(ProcessEvent.HELLO)

    def process_loaded(self, process_id: int, now: float) -> None:
        """A preloader or direct process has imported the app."""
        process = self.processes[process_id]
        process.on(ProcessEvent.LOADED)
        process.idle_since = now
        if process.state is ProcessState.BOOTING and process.slot is not None:
            self.emit(ServeDirect(process.key, process_id, process.slot))
        self.reconsider(now)

    def worker_ready(self, process_id: int, now: float) -> None:
        """A worker accepts connections."""
        process = self.processes[process_id]
        process.accept(now)
        if not process.serving:
            return
        process.attached_hook_ran = True
        self.emit(RunHook("attached_process", process.key, process.pid))
        group = self.groups[process.key]
        if process.generation == group.spawn_generation:
            group.note_success(process.generation)
        restarting.worker_came(self, group, process, now)
        group.on(GroupEvent.WORKER_READY)
        restarting.catch_up(self, group, now)
        out_of_band_work.consider(self, group, now)
        self.settle(group, now)

    def max_requests_reached(self, process_id: int, now: float) -> None:
        """A worker has served PassengerMaxRequests."""
        process = self.processes[process_id]
        replacement.max_requests_reached(self, self.groups[process.key], process, now)

    def work_requested(self, process_id: int, now: float) -> None:
        """A worker has asked for out-of-band work."""
        out_of_band_work.ask(self, self.processes[process_id], now)

    def work_done(self, process_id: int, now: float) -> None:
        """A worker has done its out-of-band work."""
        out_of_band_work.done(self, self.processes[process_id], now)

    def start_failed(self, process_id: int, failure: StartFailure, now: float) -> None:
        """A process did not come up; it is gone, or the shell sees to it that it goes."""
        process = self.processes.get(process_id)
        if process is None:
            return
        starting = process.starting
        group = self._remove(process)
        if starting and group.state is not GroupState.CLOSING:
            failing.start_failed(self, group, process, failure, now)
        self.settle(group, now)

    def process_exited(self, process_id: int, status: Optional[int], now: float) -> None:
        """A process has ended.

        :param status: as waitpid gives it, None if nobody could tell.
        """
        process = self.processes.get(process_id)
        if process is None:
            return
        if process.starting and not process.killed:
            summary = "the process ended (%s) before it was up" % describe_status(status)
            self.start_failed(process_id, StartFailure(process.start_step, summary), now)
            return
        if process.serving and not process.killed:
            failing.worker_lost(self, self.groups[process.key], process, now)
        self.settle(self._remove(process, status), now)

    def _remove(self, process: Process, status: Optional[int] = None) -> Group:
        group = self.groups[process.key]
        unexpected = (process.serving or process.state is ProcessState.READY) and not process.killed
        process.on(ProcessEvent.EXIT)
        del self.processes[process.process_id]
        del group.processes[process.process_id]
        self._detach(process)
        always_restart.let_go(group)
        self.emit(ForgetProcess(process.process_id))
        if unexpected:
            text = "%s has ended unexpectedly: %s" % (process.title, describe_status(status))
            self.log("warn", group.key, 3503, text)
        return group

    def _detach(self, process: Process) -> None:
        """It takes no more requests of others: the hook, once."""
        if process.attached_hook_ran:
            process.attached_hook_ran = False
            self.emit(RunHook("detached_process", process.key, process.pid))

    # Restart, deadlines, the end

    def restart(self, key: str, now: float, method: Optional[str] = None, start_if_cold: bool = False) -> int:
        """The app's restart file was touched, or somebody asked for it.

        :param method: `rolling`, `blocking`, or None: as configured.
        :param start_if_cold: start the app, too, if it has no process: somebody waits to hear whether it loads.
        :returns: the generation that will answer for it (see `Progress`).
        """
        group = self.groups[key]
        if group.state is GroupState.CLOSING:
            return group.last_generation
        generation = restarting.restart(self, group, now, method, start_if_cold)
        self.settle(group, now)
        return generation

    def detach_process(self, process_id: int, now: float) -> None:
        """Somebody wants a process to finish what it has and go."""
        process = self.processes[process_id]
        replacement.detach(self, self.groups[process.key], process, now)

    def set_always_restart(self, key: str, on: bool, now: float) -> None:
        """The file always_restart.txt of a group is there now, or it is gone."""
        always_restart.switch(self, self.groups[key], on, now)

    def tick(self, now: float) -> None:
        """Act on whatever deadline has passed."""
        upkeep.tick(self, now)
        self.reconsider(now)

    def next_deadline(self) -> Optional[float]:
        """When `tick` is to be called at the latest, None if nothing is due ever."""
        return upkeep.next_deadline(self)

    def shut_down(self, now: float) -> None:
        """httpd has ended, or the spawner is to."""
        self.ending = True
        for group in list(self.groups.values()):
            self.close_group(group.key, now)

    def close_group(self, key: str, now: float) -> None:
        """Let a group end: every process retires, then the socket goes."""
        group = self.groups[key]
        group.on(GroupEvent.CLOSE)
        group.target = 0
        group.next_generation, group.pinned = None, None
        group.restart_again = False
        restarting.abandon(self, group)
        for process in list(group.processes.values()):
            self.retire(process, now)
        self.settle(group, now)

    # Shared by the parts of the pool

    def worker_count(self) -> int:
        """How many workers count against PassengerMaxPoolSize."""
        return sum(len(group.active_workers()) for group in self.groups.values())

    def new_process(self, group: Group, kind: ProcessKind, generation: int, slot: Optional[int], now: float) -> Process:
        """Enter a process that is about to be started."""
        process = Process(next(self._ids), group.key, kind, generation, now, slot)
        self.processes[process.process_id] = group.processes[process.process_id] = process
        return process

    def retire(self, process: Process, now: float) -> None:
        """Tell a process to finish and go, once."""
        if not process.retiring:
            process.on(ProcessEvent.RETIRE)
            process.retired_at = now
            self.emit(Retire(process.process_id))
            self._detach(process)
            always_restart.let_go(self.groups[process.key])

    def wake(self, group: Group, now: float) -> None:
        """Bring a group up that has no worker."""
        spawning.wake(self, group, now)

    def settle(self, group: Group, now: float) -> None:
        """Bring a group's state in line with its processes, then let it, and those that wait for room, spawn."""
        self.settle_alone(group, now)
        self.reconsider(now)

    def settle_alone(self, group: Group, now: float) -> None:
        """The same without the others: whoever has made room is the one to take it."""
        spawning.settle(self, group, now)
        if group.state is GroupState.CLOSING and not group.processes:
            del self.groups[group.key]
            self.waiting_for_room.pop(group.key, None)
            self.emit(DropGroup(group.key))
        else:
            self._watch_queue(group)

    def reconsider(self, now: float) -> None:
        """Let those that want a worker take their turns, in the order in which they have asked."""
        moved = not self.ending
        while moved:
            moved = False
            for key in list(self.waiting_for_room):
                if key in self.waiting_for_room:
                    moved = spawning.take_turn(self, self.groups[key], now) or moved

    def _watch_queue(self, group: Group) -> None:
        """Watch the queue of a group exactly while it has no worker and none is starting."""
        wanted = group.state in _WAITING_STATES
        if wanted != group.queue_watched:
            group.queue_watched = wanted
            self.emit(WatchQueue(group.key) if wanted else UnwatchQueue(group.key))

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
        group = Group(registration, generation=generation, last_generation=generation, last_active=now)
        group.pinned, group.always_restart = pinned, always_restart
        self.groups[registration.key] = group

    def adopt_process(self, process: Process) -> int:
        """Enter a process that an earlier spawner started.

        :param process: its `process_id` is set here.
        :returns: the id.
        """
        process.process_id = next(self._ids)
        self.processes[process.process_id] = self.groups[process.key].processes[process.process_id] = process
        return process.process_id

    def adoption_complete(self, now: float) -> None:
        """Every adopted group takes the state that its processes show, and goes on from there."""
        self.excess = max(0, self.worker_count() - self.server.max_pool_size)
        for group in list(self.groups.values()):
            adoption.resume(self, group, now)

    def snapshot(self, now: float) -> dict[str, Any]:
        """What `jumpseat status` shows, as plain data."""
        groups = self.groups.values()
        return {"groups": [snapshot.describe_group(one, upkeep.is_configured(self, one), now) for one in groups]}

    def check_invariants(self) -> None:
        """The safety rules at the head of this file.

        :raises AssertionError: one does not hold.
        """
        invariants.check(self)
