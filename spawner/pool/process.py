"""One process of an app, as the pool sees it: no descriptors, no signals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from spawner.pool.states import PROCESS_TRANSITIONS, ProcessEvent, ProcessKind, ProcessState, move
from spawner.shared import start_steps

SLOTS = 1024  # of a scoreboard; more workers than this of one app are never started
LINGER_SECONDS = 60.0  # a retired process that is in no request and yet does not end is killed after this

_STARTING = (ProcessState.SPAWNED, ProcessState.LOADING, ProcessState.BOOTING)

_STEPS = {
    ProcessState.SPAWNED: start_steps.START_LOADER,
    ProcessState.LOADING: start_steps.IMPORT,
    ProcessState.BOOTING: start_steps.ACCEPT,
}


class OverdueRequest(NamedTuple):
    """A request that has passed its deadline.

    :ivar cell: its cell in the worker's slot; None: it has none.
    :ivar since: nanoseconds of CLOCK_MONOTONIC: when the worker accepted it, as it has written itself.
    """

    cell: Optional[int]
    since: int


@dataclass(frozen=True)
class Reading:
    """One look at a worker's slot (docs/protocol.md, section 6): figures that the worker has written itself.

    :ivar running: requests that it is in.
    :ivar capacity: requests that it can be in; at least 1.
    :ivar requests: served since its start.
    :ivar idle_since: seconds of CLOCK_MONOTONIC; when it last had none, never in the future.
    :ivar working: it is at its out-of-band work.
    :ivar overdue: the requests of it that have passed their deadline (PassengerMaxRequestTime).
    """

    running: int
    capacity: int
    requests: int
    idle_since: float
    working: bool = False
    overdue: tuple[OverdueRequest, ...] = ()

    @property
    def busy(self) -> bool:
        """Whether it is in a request or at its out-of-band work."""
        return self.running > 0 or self.working

    @property
    def full(self) -> bool:
        """Whether it can take no more requests."""
        return self.working or self.running >= self.capacity


@dataclass
class Process:
    """A preloader, a worker or a direct process. Times are seconds of CLOCK_MONOTONIC.

    Invariant: a worker or direct process has a slot that no other living process of its group has.
    """

    process_id: int
    key: str
    kind: ProcessKind
    generation: int
    started: float
    slot: Optional[int] = None
    pid: int = 0  # 0 until it has said hello, or its preloader has named it
    state: ProcessState = ProcessState.SPAWNED
    single_request: bool = False  # it is to serve one request (always_restart.txt)
    attached_hook_ran: bool = False  # the hook attached_process was run for it, and detached_process not yet
    slow: bool = False  # its start has taken so long that it does not hold others up any more

    # What the scoreboard showed at the last look
    running: int = 0
    capacity: int = 1
    requests: int = 0
    came_up: float = 0.0  # when it began to accept; 0: under an earlier spawner, or not yet
    idle_since: float = 0.0  # a worker's last request, a preloader's last fork
    at_work: bool = False

    # Out-of-band work
    work_requested_at: float = 0.0  # when it asked for it; 0: it has not, or it was done
    work_granted_at: float = 0.0  # when it was told to do it; 0: it was not, or has said that it is done

    # Why it is to be replaced
    max_requests_reached: bool = False  # it has served PassengerMaxRequests
    too_large: bool = False  # it has more than PassengerMemoryLimit
    cancelled: dict[OverdueRequest, float] = field(default_factory=dict)  # and when it was told to end them
    cancelled_hook_after: float = 0.0  # the hook is not run again earlier
    overdue: bool = False  # a request of it has passed PassengerMaxRequestTime, and it was told to end
    memory: int = 0  # bytes at the last look; 0: nobody has looked

    # Its end
    retired_at: float = 0.0
    retire_by: float = 0.0  # the deadline that it was told; 0: none
    kill_at: float = 0.0  # when one that retires is killed whatever it does; 0: see LINGER_SECONDS
    killed: bool = False

    def on(self, event: ProcessEvent) -> None:
        """Move along the table of its kind.

        :raises IllegalTransition: the event is not possible in this state.
        """
        name = "%s %d of %s" % (self.kind.value, self.pid or self.process_id, self.key)
        self.state = move(PROCESS_TRANSITIONS[self.kind], name, self.state, event)

    def set_pid(self, pid: int) -> None:
        """Its preloader has said its pid, before it has said a word itself.

        :raises IllegalTransition: it has said hello.
        """
        self.pid = pid
        self.on(ProcessEvent.FORKED)

    def accept(self, now: float) -> None:
        """It takes requests. One that was to end before it came up may have some by now, and may finish them.

        :raises IllegalTransition: it has not said hello.
        """
        self.on(ProcessEvent.ACCEPTS)
        self.idle_since = self.came_up = now
        if self.retiring:
            self.kill_at = 0.0

    def note(self, reading: Reading) -> None:
        """Take over what the scoreboard shows."""
        self.running = reading.running
        self.capacity = max(1, reading.capacity)
        self.requests = reading.requests
        self.idle_since = max(self.idle_since, reading.idle_since)
        self.at_work = reading.working

    @property
    def is_worker(self) -> bool:
        """Whether it serves, or is to serve, requests."""
        return self.kind is not ProcessKind.PRELOADER

    @property
    def imports_app(self) -> bool:
        """Whether it executes an interpreter and imports the app, which a forked worker does not."""
        return self.kind is not ProcessKind.WORKER

    @property
    def starting(self) -> bool:
        """Whether it is on its way up."""
        return self.state in _STARTING

    @property
    def start_step(self) -> str:
        """The name of the step that a starting process is in."""
        if self.kind is ProcessKind.WORKER and self.state is ProcessState.SPAWNED:
            return start_steps.FORK
        return _STEPS[self.state]

    @property
    def serving(self) -> bool:
        """Whether it takes connections."""
        return self.state is ProcessState.SERVING

    @property
    def retiring(self) -> bool:
        """Whether it was told to go and has not gone yet."""
        return self.state is ProcessState.RETIRING

    @property
    def working(self) -> bool:
        """Whether it does its out-of-band work, or is to as soon as it is in no request."""
        return self.work_granted_at > 0 or self.at_work

    @property
    def busy(self) -> bool:
        """Whether it is in a request or at its out-of-band work, by the last look."""
        return self.running > 0 or self.working

    @property
    def full(self) -> bool:
        """Whether it can take no more requests, by the last look."""
        return self.working or self.running >= self.capacity

    @property
    def needs_replacement(self) -> bool:
        """Whether another worker is to take its place."""
        return self.max_requests_reached or self.too_large

    @property
    def active(self) -> bool:
        """Whether it counts against the caps: a worker that serves or is starting (a retiring one does not)."""
        return self.is_worker and (self.starting or self.serving)

    @property
    def title(self) -> str:
        """What it is called in the log."""
        return "%s %d of %s" % (self.kind.value, self.pid, self.key)


def describe_status(status: Optional[int]) -> str:
    """A wait status in words."""
    if status is None:
        return "status unknown"
    if status & 0x7F:
        return "signal %d" % (status & 0x7F)
    return "exit status %d" % (status >> 8)
