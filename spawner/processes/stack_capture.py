"""The stacks of an app's processes: faulthandler writes them to the process's output when it gets a signal.

The handler is in C, so it works for a process that is stuck in Python or in C code (docs/protocol.md, section 5).
The supervisor of a program is asked on its control line, and writes what it finds out in the same form.
"""

from __future__ import annotations

import asyncio
import re
import signal
from typing import Callable, Optional

from spawner.app_types import app_type_of
from spawner.processes.app_process import AppProcess, AppRegistry
from spawner.processes.app_stacks import app_stacks
from spawner.system import linux

# Not one of those that C libraries, debuggers and runtimes use: they begin at SIGRTMIN or end at SIGRTMAX.
BACKTRACE_SIGNAL = signal.SIGRTMAX - 9
_FIRST_LINE_TIMEOUT = 2.0  # seconds
_QUIET = 0.15  # seconds without a further line, after which the stacks are complete
_TIMEOUT = 5.0  # seconds for all of it
_MOST_KEPT = 1_048_576  # bytes
_THREAD = re.compile(rb"(?:(?:Current thread|Thread) 0x[0-9a-f]+ .*|Stack )\(most recent call first\):\s*\Z")
_FRAME = re.compile(
    rb'  File (?:".*"|\?\?\?), line (?:\d+|\?\?\?) in .+\Z|  File \?\?\?.*\Z'
    rb"|  <[^>]*>\Z|  \(.*\)\Z|  Garbage-collecting\Z|\s*\.\.\.\Z"
)
# What Node.js writes meanwhile (docs/decisions/012-stacks-by-a-signal.md).
_DROPPED = re.compile(rb"Debugger (listening on ws://|attached)|For help, see: https://nodejs\.org/")
NO_ANSWER = "(the process did not show its stacks)"
NOT_POSSIBLE = "(this process cannot show its stacks: it has not come so far yet, or the app has taken the signal)"


class StackLines:
    """Separates faulthandler's lines from everything else that a process writes. Pure."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = 0
        self._in_stack = False

    @property
    def started(self) -> bool:
        """Whether a line of a stack has come."""
        return bool(self._lines)

    def filter(self, lines: list[bytes]) -> list[bytes]:
        """Keep the lines of stacks.

        :returns: the other lines.
        """
        return [line for line in lines if not self._keep(line) and _DROPPED.match(line) is None]

    def text(self) -> str:
        """The kept lines, without empty ones at the end."""
        return b"\n".join(self._lines).decode("utf-8", "replace").rstrip()

    def _keep(self, line: bytes) -> bool:
        first = _THREAD.match(line) is not None
        in_stack = first or (self._in_stack and (_FRAME.match(line) is not None or not line.strip()))
        self._in_stack = in_stack
        if in_stack and self._size < _MOST_KEPT:
            self._lines.append(line)
            self._size += len(line)
        return in_stack


class StackCapture:
    """Asks processes for their stacks and passes them on.

    :param instance: the instance folder: calls of the code in it are left out at the outer ends.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, registry: AppRegistry, instance: str) -> None:
        self._loop = loop
        self._registry = registry
        self._instance = instance
        self._running: dict[int, _Capture] = {}

    async def stacks_of(self, process_id: int) -> str:
        """The stacks of all threads of a process, or in brackets why there are none. They do not go to the log.

        :param process_id: the pool's.
        """
        process = self._registry.processes.handle(process_id)
        if process is None:
            return NO_ANSWER
        return await asyncio.shield(self._start(process, False))

    def log_stacks(self, process: AppProcess, reason: str) -> None:
        """Write them to the app's log, after a line with the reason."""
        process.output.write_own_lines("JS3107: stacks of process %d: %s; its threads are at:" % (process.pid, reason))
        self._start(process, True).add_done_callback(lambda done: self._log_if_none(process, done.result()))

    def start(self, process: AppProcess, done: Callable[[str], None]) -> None:
        """As `stacks_of`, without waiting.

        :param done: called once with the text.
        """
        self._start(process, False).add_done_callback(lambda future: done(future.result()))

    def when_done(self, process: AppProcess, action: Callable[[], None]) -> None:
        """Call an action once the stacks of a process that were asked for have come; if none were, at once."""
        capture = self._running.get(process.process_id)
        if capture is None:
            action()
        else:
            capture.future.add_done_callback(lambda _: action())

    def _start(self, process: AppProcess, logged: bool) -> "asyncio.Future[str]":
        running = self._running.get(process.process_id)
        if running is not None:
            running.logged = running.logged or logged
            return running.future
        supervised = self._is_supervised(process)
        possible = process.hello_received if supervised else linux.has_signal_handler(process.pid, BACKTRACE_SIGNAL)
        if not process.pid or not possible:
            future: "asyncio.Future[str]" = self._loop.create_future()
            future.set_result(NOT_POSSIBLE)
            return future
        capture = self._running[process.process_id] = _Capture(self._loop, process, self._instance, logged)
        capture.future.add_done_callback(lambda _: self._running.pop(process.process_id))
        if supervised:
            process.line.send([("type", "backtraces")])
        else:
            process.signal(BACKTRACE_SIGNAL)
        return capture.future

    def _is_supervised(self, process: AppProcess) -> bool:
        group = self._registry.groups.entry(process.key)
        return group is not None and app_type_of(group.registration.app_type).supervised

    @staticmethod
    def _log_if_none(process: AppProcess, text: str) -> None:
        if text in (NO_ANSWER, NOT_POSSIBLE):
            process.output.write_own_lines(text)


class _Capture:
    """One process that was asked.

    :ivar logged: whether its stacks go to the app's log, too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, process: AppProcess, instance: str, logged: bool) -> None:
        self.future: "asyncio.Future[str]" = loop.create_future()
        self.logged = logged
        self._loop = loop
        self._process = process
        self._instance = instance
        self._lines = StackLines()
        self._deadline: float = loop.time() + _TIMEOUT
        self._timer: Optional[asyncio.TimerHandle] = loop.call_later(_FIRST_LINE_TIMEOUT, self._finish)
        self._output = process.stderr
        self._output.line_filter = self._filter

    def _filter(self, lines: list[bytes]) -> list[bytes]:
        others = self._lines.filter(lines)
        if self._lines.started and len(others) < len(lines) and self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_at(min(self._loop.time() + _QUIET, self._deadline), self._finish)
        return others

    def _finish(self) -> None:
        self._timer = None
        self._output.line_filter = None
        text = app_stacks(self._lines.text(), self._instance) if self._lines.started else NO_ANSWER
        if self.logged and self._lines.started:
            self._process.output.write_own_lines(*text.split("\n"))
        self.future.set_result(text)
