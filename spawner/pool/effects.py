"""What the pool wants done: the daemon carries these out in the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from spawner.options import HookName
from spawner.pool.process import OverdueRequest
from spawner.pool.states import ProcessKind
from spawner.start_failure import StartFailure


@dataclass(frozen=True)
class CreateGroup:
    """Make the group's listening socket and scoreboard, publish them, watch its restart file, store it."""

    key: str


@dataclass(frozen=True)
class UpdateGroup:
    """The group's options or environment changed: store it again, set the backlog again."""

    key: str


@dataclass(frozen=True)
class DropGroup:
    """Close and unlink the group's socket, forget its scoreboard and watch."""

    key: str


@dataclass(frozen=True)
class StartProcess:
    """Exec the loader in the app's interpreter as the app's user.

    :ivar slot: the scoreboard slot, for a direct process; None for a preloader.
    :ivar single_request: a direct process that is to serve one request (always_restart.txt).
    """

    key: str
    process_id: int
    kind: ProcessKind
    generation: int
    slot: Optional[int]
    single_request: bool = False


@dataclass(frozen=True)
class ForkWorker:
    """Have a preloader fork a worker."""

    key: str
    process_id: int
    preloader_id: int
    generation: int
    slot: int


@dataclass(frozen=True)
class Retire:
    """Tell a process to finish what it has and go.

    :ivar deadline: seconds of CLOCK_MONOTONIC: it is killed then whatever it does; 0: as long as it is in requests,
        it has time.
    """

    process_id: int
    deadline: float = 0.0


@dataclass(frozen=True)
class CancelRequest:
    """Have a worker end one of the requests that it is in."""

    process_id: int
    request: OverdueRequest


@dataclass(frozen=True)
class Terminate:
    """SIGTERM a process that does not read its line, for it loads; it is killed if that does not help."""

    process_id: int
    reason: str


@dataclass(frozen=True)
class Kill:
    """SIGKILL a process; what it leaves comes back as an exit.

    :ivar reason: for the log; empty where the pool has said it in a line of its own.
    """

    process_id: int
    reason: str


@dataclass(frozen=True)
class ForgetProcess:
    """A process is gone: close its lines, free its slot, store that."""

    process_id: int


@dataclass(frozen=True)
class WatchQueue:
    """Report when the group's listening socket has a connection waiting."""

    key: str


@dataclass(frozen=True)
class UnwatchQueue:
    """Workers are there or starting: the queue is theirs."""

    key: str


@dataclass(frozen=True)
class FailWaiting:
    """Accept everything that waits at the group's socket and answer 500."""

    key: str
    failure: StartFailure


@dataclass(frozen=True)
class DumpStacks:
    """Have a process write the stacks of all its threads to the app's log, before anything that ends it.

    :ivar reason: why; empty: a request takes longer than PassengerMaxRequestTime.
    """

    process_id: int
    reason: str = ""


@dataclass(frozen=True)
class DoOutOfBandWork:
    """Tell a worker that has asked for it to do its out-of-band work."""

    process_id: int


@dataclass(frozen=True)
class RunHook:
    """Run the command that is configured for a hook, if there is one; nobody waits for it.

    :ivar name: attached_process, detached_process, spawn_failed, queue_full_error or max_request_time_reached.
    :ivar pid: of the process that it is about; 0 where it is about none.
    :ivar error_id: of a failed start, else empty.
    :ivar message: one line, for the hooks that tell of an error, else empty.
    """

    name: HookName
    key: str
    pid: int
    error_id: str = ""
    message: str = ""


@dataclass(frozen=True)
class NoteDeployment:
    """Write down beside restart.txt, as the app's user, why a release did not come up.

    :ivar generation: the one that did not, or, with no failure, the one that did.
    :ivar failure: None: remove what was written down.
    """

    key: str
    generation: int
    failure: Optional[StartFailure]


@dataclass(frozen=True)
class Progress:
    """How a restart stands, for whoever waits for it.

    Who waits for a generation is answered by the first `completed` or `failed` of that generation or a later one.

    :ivar generation: that the restart brings in.
    :ivar stage: loading, replacing, completed, failed or superseded.
    :ivar done: workers of the new generation that serve.
    :ivar total: workers that are to run the new code.
    :ivar failure: why the last start of that generation failed; with `replacing` it is tried again.
    """

    key: str
    generation: int
    stage: str
    done: int
    total: int
    failure: Optional[StartFailure] = None


@dataclass(frozen=True)
class LogLine:
    """A line for the log.

    :ivar level: one of crit, error, warn, notice, info, debug.
    :ivar number: the line's own number (3500 to 3999).
    """

    level: str
    key: str
    number: int
    text: str


Effect = Union[
    CreateGroup,
    UpdateGroup,
    DropGroup,
    StartProcess,
    ForkWorker,
    Retire,
    CancelRequest,
    Terminate,
    Kill,
    ForgetProcess,
    WatchQueue,
    UnwatchQueue,
    FailWaiting,
    DumpStacks,
    DoOutOfBandWork,
    RunHook,
    NoteDeployment,
    Progress,
    LogLine,
]


class Outbox:
    """Collects what the groups of a pool want done while an event is dealt with, in order."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []

    def emit(self, effect: Effect) -> None:
        """Have something done."""
        self._effects.append(effect)

    def log(self, level: str, key: str, number: int, text: str) -> None:
        """Have a line logged."""
        self.emit(LogLine(level, key, number, text))

    def take(self) -> list[Effect]:
        """What was asked for since the last call."""
        effects, self._effects = self._effects, []
        return effects
