"""An app group: what is configured for one app, its processes, and how it stands."""

from __future__ import annotations

from typing import Iterator, Optional

from spawner.errors import InternalError
from spawner.pool.backoff import Backoff
from spawner.pool.effects import (
    Effect,
    ForgetProcess,
    Kill,
    Outbox,
    Retire,
    RunHook,
    Terminate,
    UnwatchQueue,
    WatchQueue,
)
from spawner.pool.process import SLOTS, Process, describe_status
from spawner.pool.registration import Registration
from spawner.pool.release import PinnedRelease, Release
from spawner.pool.sizing import Sizing
from spawner.pool.states import GROUP_TRANSITIONS, GroupEvent, GroupState, ProcessEvent, ProcessKind, ProcessState, move
from spawner.start_failure import StartFailure

TERMINATION_SECONDS = 3.0  # a process that loads is killed this long after it was told to end

WITHOUT_WORKERS = (GroupState.COLD, GroupState.FAILED)


class Group:
    """The processes that serve one app. Times are seconds of CLOCK_MONOTONIC.

    It owns its processes, its state, its releases and its size: others read them, and change them by its methods only.

    :param outbox: where its effects go.
    :param generation: the one that serves.
    :param pinned: what an earlier spawner has pinned.
    """

    def __init__(
        self,
        registration: Registration,
        outbox: Optional[Outbox] = None,
        *,
        state: GroupState = GroupState.COLD,
        generation: int = 1,
        pinned: Optional[PinnedRelease] = None,
        last_active: float = 0.0,
    ) -> None:
        self.registration = registration
        self.outbox = outbox if outbox is not None else Outbox()
        self.state = state
        self.release = Release(registration.key, self.outbox, generation, pinned)
        self.sizing = Sizing()
        self.backoff = Backoff()
        self.processes: dict[int, Process] = {}
        self.always_restart = False  # its always_restart.txt is there: no worker is kept
        self.last_active = last_active  # when something was last asked of it
        self.queue_watched = False
        self.rejected = 0  # requests that were answered 503, for the queue was full
        self.queue_full_hook_after = 0.0  # the hook queue_full_error is not run before
        self.finds_pool_full = False  # it has fewer workers than it is to have, and the log says so
        self.logged: set[int] = set()  # numbers of lines that come once for each configuration

    @property
    def key(self) -> str:
        """The group's name."""
        return self.registration.key

    @property
    def uses_preloader(self) -> bool:
        """Whether workers are forked from a preloader."""
        return self.registration.preloads

    def on(self, event: GroupEvent) -> None:
        """Move along the table.

        :raises IllegalTransition: the event is not possible in this state.
        """
        self.state = move(GROUP_TRANSITIONS, "app group %s" % self.key, self.state, event)

    def emit(self, effect: Effect) -> None:
        """Have something done."""
        self.outbox.emit(effect)

    def log(self, level: str, number: int, text: str) -> None:
        """Have a line logged."""
        self.outbox.log(level, self.key, number, text)

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left of it."""
        return self.state is GroupState.CLOSING and not self.processes

    def close(self, now: float, deadline: float = 0.0) -> None:
        """Let it end: every process retires.

        :param deadline: when every one of them is killed; 0: there is no such time.
        """
        self.on(GroupEvent.CLOSE)
        self.sizing.clear()
        self.release.close()
        self.retire_all(now, deadline)

    # Its workers

    def workers(self) -> Iterator[Process]:
        """Every worker and direct process, in the order of their start."""
        return (process for process in self.processes.values() if process.is_worker)

    def active_workers(self) -> list[Process]:
        """Workers that count against the caps."""
        return [process for process in self.processes.values() if process.active]

    def serving_workers(self) -> list[Process]:
        """Workers that take connections."""
        return [process for process in self.processes.values() if process.is_worker and process.serving]

    def up_to_date_workers(self) -> list[Process]:
        """Active workers of the generation that is wanted."""
        return [process for process in self.active_workers() if process.generation == self.release.wanted]

    def outdated_workers(self) -> list[Process]:
        """Serving workers that a restart has still to replace."""
        return [process for process in self.serving_workers() if process.generation != self.release.wanted]

    def older_workers(self) -> list[Process]:
        """Every worker, retiring ones too, older than the generation that serves."""
        return [process for process in self.workers() if process.generation < self.release.current]

    def unproven(self) -> list[Process]:
        """What a first start or a restart has under way, as long as no worker of it accepts."""
        if self.state is not GroupState.STARTING and self.release.next is None:
            return []
        wanted = self.release.wanted
        return [one for one in self.processes.values() if one.generation == wanted and not one.retiring]

    # Its size

    @property
    def kept(self) -> int:
        """How many workers it holds, without the one more of a replacement."""
        return self.sizing.kept(len(self.active_workers()))

    @property
    def replacing(self) -> bool:
        """Whether a worker that is to be replaced serves on until its replacement does."""
        return self.state is GroupState.SERVING and any(one.needs_replacement for one in self.serving_workers())

    @property
    def one_more(self) -> int:
        """How many workers above the caps it may have for a moment."""
        return int(self.state is GroupState.RESTARTING or self.replacing)

    @property
    def has_one_more(self) -> bool:
        """Whether it has more workers than it is to keep."""
        return len(self.active_workers()) > self.sizing.target

    # What it can start from

    def preloader(self, generation: int) -> Optional[Process]:
        """The preloader of a generation that is up or starting, if any."""
        for process in self.processes.values():
            if process.kind is ProcessKind.PRELOADER and process.generation == generation:
                if process.starting or process.state is ProcessState.READY:
                    return process
        return None

    def can_fork(self, generation: int) -> bool:
        """Whether there is a preloader that workers of a generation can be forked from now."""
        preloader = self.preloader(generation) if self.uses_preloader else None
        return preloader is not None and preloader.state is ProcessState.READY

    @property
    def must_not_start(self) -> bool:
        """Whether it may start nothing: it would be the code that has failed, under the name of the pinned release."""
        release = self.release
        return release.pinned is not None and release.next is None and not self.can_fork(release.current)

    def unpin_if_lost(self) -> None:
        """With no worker of the pinned release left, and nothing to fork one from, the newest code is tried again."""
        if self.release.pinned is None or self.active_workers() or self.can_fork(self.release.current):
            return
        text = "old release lost, starting the newest code: %s: generation %d has no process left"
        self.log("warn", 3531, text % (self.key, self.release.current))
        self.release.unpin()

    def free_slot(self) -> Optional[int]:
        """The lowest slot that no worker has, or None."""
        taken = {process.slot for process in self.workers()}
        return next((slot for slot in range(SLOTS) if slot not in taken), None)

    # What happens to its processes

    def add(self, process: Process) -> None:
        """Take a process in that is about to be started, or that an earlier spawner has started."""
        self.processes[process.process_id] = process

    def accept(self, process: Process, now: float) -> None:
        """A worker accepts connections."""
        process.accept(now)
        if process.serving:
            process.attached_hook_ran = True
            self.emit(RunHook("attached_process", self.key, process.pid))

    def retire(self, process: Process, now: float, deadline: float = 0.0) -> None:
        """Tell a process to finish what it has and go: once, and again if there is a deadline now, or an earlier one.

        :param deadline: when it is killed; 0: there is no such time.
        """
        sooner = deadline > 0 and not 0 < process.retire_by <= deadline
        if not process.retiring or sooner:
            self.emit(Retire(process.process_id, deadline))
        if sooner:
            process.retire_by = deadline
        if not process.retiring:
            process.on(ProcessEvent.RETIRE)
            process.retired_at = now
            self._goes(process)

    def retire_all(self, now: float, deadline: float = 0.0) -> None:
        """Tell every process to finish what it has and go (see `retire`)."""
        for process in list(self.processes.values()):
            self.retire(process, now, deadline)

    def retire_older(self, now: float) -> None:
        """Tell every worker of an older release to go."""
        for process in self.older_workers():
            if process.starting:
                self.terminate(process, now, "it is of an older release")
            else:
                self.retire(process, now)

    def terminate(self, process: Process, now: float, reason: str) -> None:
        """End a process that is not up yet: it does not read its line while it loads."""
        process.kill_at = now + TERMINATION_SECONDS
        self.retire(process, now)  # without that deadline, which does not hold any more if the process comes up
        self.emit(Terminate(process.process_id, reason))

    def kill(self, process: Process, reason: str) -> None:
        """Kill a process; its end comes back as an event.

        :param reason: for the log; empty: it was logged.
        """
        process.killed = True
        self.emit(Kill(process.process_id, reason))

    def give_up(self, process: Process, how: str, reason: str, now: float) -> None:
        """Have one worker fewer, for another app needs its place."""
        self.sizing.shrink(len(self.active_workers()))
        self.log("info", 3511, "worker retired to free its place: %s (%s), for %s" % (process.title, how, reason))
        self.retire(process, now)
        if not self.sizing.target:  # its replacement would be a start of its own, and has no place
            for other in [other for other in self.active_workers() if other.starting]:
                self.terminate(other, now, "its place is needed")

    def remove(self, process: Process, status: Optional[int] = None) -> None:
        """A process has ended, or was given up as a start.

        :param status: as waitpid gives it, None if nobody could tell.
        """
        unexpected = (process.serving or process.state is ProcessState.READY) and not process.killed
        process.on(ProcessEvent.EXIT)
        del self.processes[process.process_id]
        self._goes(process)
        self.emit(ForgetProcess(process.process_id))
        if unexpected:
            self.log("warn", 3503, "process ended unexpectedly: %s: %s" % (process.title, describe_status(status)))

    def _goes(self, process: Process) -> None:
        """A process takes no more requests of others: the hook, once. Where no worker is kept, none takes its place."""
        if process.attached_hook_ran:
            process.attached_hook_ran = False
            self.emit(RunHook("detached_process", self.key, process.pid))
        if self.always_restart:
            self.sizing.limit(len(self.active_workers()))

    # What others are told

    def log_once(self, level: str, number: int, text: str) -> None:
        """Have a line logged, but only once for each configuration."""
        if number not in self.logged:
            self.logged.add(number)
            self.log(level, number, text)

    def note_full_pool(self, is_full: bool) -> None:
        """Have the log say, once for each time, that the pool has no place for a worker that the group is to have."""
        if is_full and not self.finds_pool_full:
            text = "the pool is full: %s wants %s and has %d: each place of PassengerMaxPoolSize is taken"
            wants, has = self.sizing.target, len(self.active_workers())
            self.log("notice", 3542, text % (self.key, "1 worker" if wants == 1 else "%d workers" % wants, has))
        self.finds_pool_full = is_full

    def watch_queue(self) -> None:
        """Have the queue watched exactly while there is no worker and none is starting."""
        wanted = self.state in WITHOUT_WORKERS
        if wanted != self.queue_watched:
            self.queue_watched = wanted
            self.emit(WatchQueue(self.key) if wanted else UnwatchQueue(self.key))

    def start_failure(self) -> StartFailure:
        """Why the group has failed.

        :raises InternalError: it has not.
        """
        if self.backoff.failure is None:
            raise InternalError("app group %s failed without a failure" % self.key)
        return self.backoff.failure

    def check_invariants(self) -> None:
        """Safety rules that must hold between two events.

        :raises AssertionError: one does not.
        """
        self.release.check_invariants()
        slots = [process.slot for process in self.workers()]
        assert None not in slots, "%s: a worker without a slot" % self.key
        assert len(slots) == len(set(slots)), "%s: two workers share a slot" % self.key
        assert all(one.generation <= self.release.newest for one in self.processes.values()), self.key
        if self.state in (GroupState.SERVING, *WITHOUT_WORKERS):
            assert self.release.next is None, "%s: %s with a next generation" % (self.key, self.state.value)
        if self.state is GroupState.SERVING:
            assert not self.older_workers(), "%s: an older generation outlived its restart" % self.key
        if self.state in WITHOUT_WORKERS:
            assert not self.active_workers(), "%s: workers in state %s" % (self.key, self.state.value)
            assert self.queue_watched, "%s: nobody looks at its queue" % self.key
        if self.state is GroupState.FAILED:
            assert self.backoff.failure is not None, "%s: failed without a failure" % self.key
        assert self.sizing.target >= 0, "%s: a negative target" % self.key
        working = sum(process.working for process in self.serving_workers())
        assert working <= 1, "%s: two workers do not serve" % self.key
