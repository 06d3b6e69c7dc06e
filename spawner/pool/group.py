"""An app group: its options, its processes and its generations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator, Optional

from spawner.pool.process import SLOTS, Process
from spawner.pool.registration import Registration
from spawner.pool.release import PinnedRelease, Restart
from spawner.pool.states import GROUP_TRANSITIONS, GroupEvent, GroupState, ProcessKind, ProcessState, move
from spawner.start_failure import StartFailure

BACK_OFF = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # seconds until the next try, by failures in a row


@dataclass
class Group:
    """The processes that serve one app, and how it stands. Times are seconds of CLOCK_MONOTONIC.

    `generation` is the one that serves; `next_generation`, during a restart, the one that has yet to prove itself by a
    worker that accepts. Workers older than `generation` are older_workers of a restart that is not complete.
    """

    registration: Registration
    state: GroupState = GroupState.COLD
    generation: int = 1
    next_generation: Optional[int] = None
    last_generation: int = 1
    # Invariant: 0 <= target <= cap; it is what reconciliation steers towards.
    target: int = 0
    processes: dict[int, Process] = field(default_factory=dict)
    failure: Optional[StartFailure] = None
    failed_at: float = 0.0
    failed_generation: int = 0
    failures: int = 0
    retry_at: float = 0.0
    spawn_after: float = 0.0
    restart: Optional[Restart] = None  # under way, and somebody is told how it goes
    proven: int = 0  # the newest generation of which a worker has accepted
    pinned: Optional[PinnedRelease] = None
    start_overs: int = 0  # restarts in a row that dropped a generation before it had proved itself
    restart_again: bool = False  # once the generation that is under way has proved itself, or failed
    again_method: Optional[str] = None
    again_start_if_cold: bool = False
    drain_until: float = 0.0
    stillborn: int = 0  # workers in a row that ended by themselves as soon as they were up, without a request
    always_restart: bool = False
    full_samples: int = 0
    last_active: float = 0.0
    queue_watched: bool = False
    overflows: int = 0  # requests that were answered 503, for the queue was full
    hook_after: float = 0.0  # queue_full_error is not run before
    # While it has no worker and the pool has no room
    room_due: float = 0.0  # when it becomes impatient; 0: it is, or it does not wait
    impatient: bool = False
    # In this epoch
    conflict_told: bool = False
    minimum_told: bool = False
    memory_told: bool = False

    @property
    def key(self) -> str:
        """The group's name."""
        return self.registration.key

    @property
    def uses_preloader(self) -> bool:
        """Whether workers are forked from a preloader."""
        return self.registration.options.spawn_method == "smart"

    @property
    def spawn_generation(self) -> int:
        """The generation that new workers belong to."""
        return self.generation if self.next_generation is None else self.next_generation

    @property
    def generation_to_store(self) -> int:
        """The generation that another spawner is to go on from: a restart that waits is one more."""
        return max(self.generation, self.last_generation) + self.restart_again

    def on(self, event: GroupEvent) -> None:
        """Move along the table.

        :raises IllegalTransition: the event is not possible in this state.
        """
        self.state = move(GROUP_TRANSITIONS, "app group %s" % self.key, self.state, event)

    def workers(self) -> Iterator[Process]:
        """Every worker and direct process, in the order of their start."""
        return (process for process in self.processes.values() if process.is_worker)

    def active_workers(self) -> list[Process]:
        """Workers that count against the caps."""
        return [process for process in self.workers() if process.active]

    def up_to_date_workers(self) -> list[Process]:
        """Active workers of the generation that is being spawned."""
        return [process for process in self.active_workers() if process.generation == self.spawn_generation]

    def outdated_workers(self) -> list[Process]:
        """Serving workers that a restart has still to replace."""
        return [p for p in self.active_workers() if p.serving and p.generation != self.spawn_generation]

    def unproven(self) -> list[Process]:
        """What a first start or a restart has under way, as long as no worker of it accepts."""
        if self.state is not GroupState.STARTING and self.next_generation is None:
            return []
        return [p for p in self.processes.values() if p.generation == self.spawn_generation and not p.retiring]

    def serving_workers(self) -> list[Process]:
        """Workers that take connections."""
        return [process for process in self.workers() if process.serving]

    @property
    def settled_size(self) -> int:
        """How many workers it holds, without the one more of a replacement."""
        return min(self.target, len(self.active_workers()))

    @property
    def replacing(self) -> bool:
        """Whether a worker that is to be replaced serves on until its replacement does."""
        return self.state is GroupState.SERVING and any(process.needs_replacement for process in self.serving_workers())

    @property
    def one_more(self) -> int:
        """How many workers above the caps it may have for a moment."""
        return int(self.state is GroupState.RESTARTING or self.replacing)

    @property
    def has_one_more(self) -> bool:
        """Whether it has more workers than it is to keep."""
        return len(self.active_workers()) > self.target

    def served(self) -> None:
        """It has got room, or does not wait for any."""
        self.room_due, self.impatient = 0.0, False

    def older_workers(self) -> list[Process]:
        """Every worker, retiring ones too, older than the generation that serves."""
        return [process for process in self.workers() if process.generation < self.generation]

    def preloader(self, generation: int) -> Optional[Process]:
        """The preloader of a generation that is up or starting, if any."""
        for process in self.processes.values():
            if process.kind is ProcessKind.PRELOADER and process.generation == generation:
                if process.starting or process.state is ProcessState.READY:
                    return process
        return None

    def free_slot(self) -> Optional[int]:
        """The lowest slot that no worker has, or None."""
        taken = {process.slot for process in self.workers()}
        return next((slot for slot in range(SLOTS) if slot not in taken), None)

    def cap(self, max_pool_size: int, max_instances_per_app: int) -> int:
        """The most workers that the group may have; 0 means no limit in both of the smaller caps."""
        caps = [max_pool_size, SLOTS]
        caps += [limit for limit in (self.registration.options.max_instances, max_instances_per_app) if limit > 0]
        return min(caps)

    def note_failure(self, failure: StartFailure, generation: int, now: float) -> None:
        """Remember why a start failed, of which generation, and when to try again."""
        self.failure = failure
        self.failed_generation = generation
        self.failed_at = now
        self.retry_at = now + BACK_OFF[min(self.failures, len(BACK_OFF) - 1)]
        self.failures += 1

    def note_success(self, generation: int) -> None:
        """A worker came up: what failed of its generation or an older one is mended, but not a newer release."""
        if generation < self.failed_generation:
            return
        self.failure = None
        self.failures = 0
        self.start_overs = 0

    def check_invariants(self) -> None:
        """Safety rules that must hold after every step.

        :raises AssertionError: one does not.
        """
        slots = [process.slot for process in self.workers()]
        assert None not in slots, "%s: a worker without a slot" % self.key
        assert len(slots) == len(set(slots)), "%s: two workers share a slot" % self.key
        assert all(process.generation <= self.last_generation for process in self.processes.values()), self.key
        if self.state in (GroupState.SERVING, GroupState.COLD, GroupState.FAILED):
            assert self.next_generation is None, "%s: %s with a next generation" % (self.key, self.state.value)
        if self.state is GroupState.SERVING:
            assert not self.older_workers(), "%s: an older generation outlived its restart" % self.key
        if self.state in (GroupState.COLD, GroupState.FAILED):
            assert not self.active_workers(), "%s: workers in state %s" % (self.key, self.state.value)
            assert self.queue_watched, "%s: nobody looks at its queue" % self.key
        if self.pinned is not None:
            assert self.generation < self.pinned.generation, "%s: pinned, and what has failed serves" % self.key
        assert sum(process.working for process in self.serving_workers()) <= 1, (
            "%s: two workers do not serve" % self.key
        )
