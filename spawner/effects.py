"""What the pool wants done: the shell carries these out in the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from spawner.errors import StartFailure
from spawner.states import ProcessKind


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
    """

    key: str
    process_id: int
    kind: ProcessKind
    generation: int
    slot: Optional[int]


@dataclass(frozen=True)
class ForkWorker:
    """Have a preloader fork a worker."""

    key: str
    process_id: int
    preloader_id: int
    generation: int
    slot: int


@dataclass(frozen=True)
class ServeDirect:
    """Tell a direct process that has loaded its app to become a worker."""

    key: str
    process_id: int
    slot: int


@dataclass(frozen=True)
class Retire:
    """Tell a process to finish what it has and go."""

    process_id: int


@dataclass(frozen=True)
class Terminate:
    """SIGTERM a process that does not read its line, for it loads; it is killed if that does not help."""

    process_id: int
    reason: str


@dataclass(frozen=True)
class Kill:
    """SIGKILL a process; what it leaves comes back as an exit."""

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
    """Workers are there or coming: the queue is theirs."""

    key: str


@dataclass(frozen=True)
class FailWaiting:
    """Accept everything that waits at the group's socket and answer 500."""

    key: str
    failure: StartFailure


@dataclass(frozen=True)
class Say:
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
    ServeDirect,
    Retire,
    Terminate,
    Kill,
    ForgetProcess,
    WatchQueue,
    UnwatchQueue,
    FailWaiting,
    Say,
]
