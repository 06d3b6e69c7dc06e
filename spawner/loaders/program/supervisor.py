"""The process beside a program: it keeps the control line, and asks the program to end when it is to retire.

Single-threaded, one epoll. It ends when the program has ended. When it ends earlier, the spawner sees the end of the
line, and ends the program.
"""

import contextlib
import os
import signal
import time
from typing import Any, NoReturn

from ...shared import start_steps, wire
from ..python.core.control_line import ControlLine, ControlMessage
from ..python.core.loader_errors import LineClosed
from ..python.core.signal_queue import SignalQueue
from ..python.diagnostics import error_log, process_inspection
from . import program_pidfd, start_command
from .event_loop import READ, EventLoop
from .supervised_program import Fields, SupervisedProgram, SupervisorCalls

_NANOSECONDS = 1_000_000_000
_DRAIN_SECONDS = 5.0  # for what a program has answered before it ended to reach httpd
_BRIEF = ("step", "summary", "traceback")  # of `failed`, where there is no room for more
_LONGEST_BRIEF = 16 * 1024  # characters
_BEFORE_THE_DEADLINE = 1.0  # seconds that a program has to end after SIGTERM, before it is killed


class Supervisor(SupervisorCalls):
    """Invariants: `_ready` once `ready` was sent, `_failed` once `failed` was, and never both; `_retiring` from the
    first wish that the program ends; `_program_ended` once its pidfd has said so.
    """

    def __init__(
        self,
        line: ControlLine,
        load: ControlMessage,
        program: SupervisedProgram,
        slot: Any,
        pid: int,
        pidfd: int,
        exec_status: int,
        started: float,
    ) -> None:
        """`slot`: the writer of the program's slot in the scoreboard; `exec_status`: readable when it is executed."""
        self.loop = EventLoop()
        self._line = line
        self._load = load
        self._program = program
        self._slot = slot
        self._pid = pid
        self._pidfd = pidfd
        self._exec_status = exec_status
        self._started = started
        self._lifeline = load.descriptors[2]
        self._ready = self._failed = self._retiring = self._line_ended = self._program_ended = False
        self._signals = SignalQueue([signal.SIGTERM, signal.SIGINT])

    def run(self) -> NoReturn:
        """Supervise until the program has ended."""
        process_inspection.set_title("supervisor", "supervisor of " + self._load.get("group"))
        self.loop.watch(self._exec_status, READ, self._on_executed)
        self.loop.watch(self._pidfd, READ, self._on_end)
        self.loop.watch(self._line.fileno(), READ, self._on_message)
        self.loop.watch(self._lifeline, READ, lambda events: self._retire(self._lifeline))
        self.loop.watch(self._signals.fileno(), READ, self._on_signal)
        try:
            self.loop.run()
        finally:
            self._program.close()
        error_log.flush_streams()
        os._exit(0)

    # For the program's part

    def ready(self, capabilities: str, runtime: str = "", route: str = "") -> None:
        if self._ready or self._failed or self._program_ended:
            return
        self._ready = True
        self._slot.worker_ready()
        seconds = ("seconds", "{:.3f}".format(time.monotonic() - self._started))
        self.send("loaded", [seconds, ("runtime", runtime)] if runtime else [seconds])
        fields = [("slot", self._load.get("slot")), ("capabilities", capabilities)]
        self.send("ready", [*fields, ("route", route)] if route else fields)
        if self._retiring:  # it was asked to end, and has come up all the same
            self._program.retire(0.0)

    def fail(self, fields: Fields) -> None:
        if self._ready or self._failed:
            return
        self._failed = True
        try:
            self.send("failed", fields)
        except (OSError, wire.MessageTooLong):
            self.send("failed", [(name, value[-_LONGEST_BRIEF:]) for name, value in fields if name in _BRIEF])

    def send(self, kind: str, fields: Fields) -> None:
        try:
            if not self._line_ended:
                self._line.send(kind, fields)
        except LineClosed:
            self._end_line()

    def terminate(self) -> None:
        if self._program_ended:
            return
        if self._shell_waits():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGTERM)
        else:
            program_pidfd.send_signal(self._pidfd, signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        if not self._program_ended:
            program_pidfd.send_signal(self._pidfd, number)

    def warn(self, text: str) -> None:
        error_log.log("jumpseat: " + text)

    def _shell_waits(self) -> bool:
        """Whether the process is still a shell, which has started the program as its child and passes no signal on."""
        try:
            leads = os.getpgid(self._pid) == self._pid
            return leads and os.path.samefile("/proc/{}/exe".format(self._pid), start_command.SHELL)
        except OSError:
            return False

    # What happens

    def _on_executed(self, events: int) -> None:
        self.loop.forget(self._exec_status)
        data = os.read(self._exec_status, 16)
        if data:
            summary = "{} could not be executed: {}".format(self._program, os.strerror(int(data)))
            self.fail([("step", start_steps.EXECUTE), ("summary", summary), ("traceback", ""), ("cwd", os.getcwd())])
            self.loop.stop()
        else:
            self._program.begin(self, self._slot, self._pid)

    def _on_end(self, events: int) -> None:
        self.loop.forget(self._pidfd)
        self._program_ended = True
        self.loop.call_later(_DRAIN_SECONDS, self._finish)
        self._program.ended(self._finish)

    def _finish(self) -> None:
        self.loop.stop()

    def _on_message(self, events: int) -> None:
        try:
            message = self._line.receive()
        except wire.WireError as error:
            self._break_off(str(error))
            return
        if message is None:
            self._end_line()
        elif message.kind == "retire":
            deadline = int(message.get("deadline") or 0)
            self._retire_by(deadline / _NANOSECONDS)
        elif message.kind == "load":
            message.close()  # a spawner was killed when it had sent one: the next one has sent it again
        elif message.kind == "cancel":
            self._program.cancel(message.get("cell"), message.get("since"))
        elif message.kind == "backtraces":
            self._program.show_backtraces(self._pid, error_log.log)
        elif message.kind != "work_granted":
            message.close()
            self._break_off("the message {!r}".format(message.kind))

    def _break_off(self, what: str) -> None:
        """The spawner says what we do not understand: the process ends, as every loader's does then."""
        self.warn("unexpected on the control line, the program is ended: {}".format(what))
        self._end_line()

    def _end_line(self) -> None:
        self._line_ended = True
        self._retire(self._line.fileno())

    def _on_signal(self, events: int) -> None:
        self._signals.read()
        self._retire_by(0.0)

    def _retire(self, ended: int) -> None:
        """A line has ended: nobody is left who could say more."""
        self.loop.forget(ended)
        self._retire_by(0.0)

    def _retire_by(self, deadline: float) -> None:
        again, self._retiring = self._retiring, True
        if self._ready:
            if deadline or not again:
                self._program.retire(deadline)
        elif not again:
            self.terminate()
        if deadline:
            self.loop.call_later(max(0.0, deadline - time.monotonic() - _BEFORE_THE_DEADLINE), self.terminate)
