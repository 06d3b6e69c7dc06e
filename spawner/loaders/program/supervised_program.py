"""What a supervisor has to know of a program, whatever kind of program it is."""

from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

from .event_loop import EventLoop

Fields = List[Tuple[str, str]]


class Execution(NamedTuple):
    """How to become the program.

    `descriptors`: what it inherits, from descriptor 3 on; `closed`: those of them that the supervisor does not need.
    """

    arguments: List[str]
    environment: Dict[str, str]
    descriptors: Sequence[int]
    close: Callable[[], None]


class SupervisorCalls:
    """What a program's part may ask of its supervisor."""

    loop: EventLoop

    def ready(self, capabilities: str, runtime: str = "", route: str = "") -> None:
        """The program accepts connections.

        `runtime`: what runs it, if that is known; `route`: of its own socket, if it accepts there, too.
        """
        raise NotImplementedError

    def fail(self, fields: Fields) -> None:
        """Tell the spawner that the program cannot start."""
        raise NotImplementedError

    def send(self, kind: str, fields: Fields) -> None:
        """Send the spawner a message of a worker."""
        raise NotImplementedError

    def terminate(self) -> None:
        """Send the program SIGTERM."""
        raise NotImplementedError

    def send_signal(self, number: int) -> None:
        """Send the program a signal."""
        raise NotImplementedError

    def warn(self, text: str) -> None:
        """Write a line to the app's log."""
        raise NotImplementedError


class SupervisedProgram:
    """One kind of program. It is made before the fork, prepared there, and then belongs to the supervisor."""

    def prepare(self) -> Execution:
        """Make what the program inherits. Called once, in the process that becomes the program. Raises OSError."""
        raise NotImplementedError

    def begin(self, supervisor: SupervisorCalls, slot: object, session: int) -> None:
        """The program runs: find out when it accepts. `slot`: the writer of its slot in the scoreboard."""
        raise NotImplementedError

    def retire(self, deadline: float) -> None:
        """Have a program that is ready finish what it has and end.

        `deadline`: seconds of CLOCK_MONOTONIC, when it is killed; 0: there is no such time. May be called again.
        """
        raise NotImplementedError

    def cancel(self, cell: str, since: str) -> None:
        """End the request that has been in this cell of the scoreboard since then, if the program can."""

    def show_backtraces(self, pid: int, write: Callable[[str], None]) -> None:
        """Write the stacks of the process to the app's output, in the form that the spawner takes out of it.

        May be called before `begin`. `write`: writes whole lines.
        """
        raise NotImplementedError

    def ended(self, done: Callable[[], None]) -> None:
        """The program has ended; call `done` when nothing is left to do for it."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave nothing behind."""
        raise NotImplementedError
