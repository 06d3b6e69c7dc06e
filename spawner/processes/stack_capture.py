"""The stacks of an app's processes: faulthandler writes them to the process's output when it gets a signal.

It works for a process that is stuck in Python or in C, for it is a handler in C (docs/protocol.md, section 5).
"""

from __future__ import annotations

import asyncio
import re
import signal
from typing import Callable, Optional

from spawner.processes import app_stacks
from spawner.processes.app_process import AppProcess
from spawner.system import linux

# Not one of those that C libraries, debuggers and runtimes take: these begin at SIGRTMIN or end at SIGRTMAX.
BACKTRACE_SIGNAL = signal.SIGRTMAX - 9
_PATIENCE = 2.0  # seconds until the first line
_QUIET = 0.15  # seconds without a further line after which it was the last
_LONGEST = 5.0  # seconds for all of it
_MOST = 1_048_576  # bytes that are kept
_THREAD = re.compile(rb"(?:(?:Current thread|Thread) 0x[0-9a-f]+ .*|Stack )\(most recent call first\):\s*\Z")
_FRAME = re.compile(
    rb'  File (?:".*"|\?\?\?), line (?:\d+|\?\?\?) in .+\Z|  File \?\?\?.*\Z'
    rb"|  <[^>]*>\Z|  Garbage-collecting\Z|\s*\.\.\.\Z"
)
NO_ANSWER = "(the process did not show its stacks)"
NOT_POSSIBLE = "(this process cannot show its stacks: it has not come so far yet, or the app has taken the signal)"


class Capture:
    """Tells the lines of faulthandler from everything else that a process writes. Pure."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = 0
        self._inside = False

    @property
    def begun(self) -> bool:
        """Whether a line has come."""
        return bool(self._lines)

    def take(self, lines: list[bytes]) -> list[bytes]:
        """Keep the lines that are of a stack.

        :returns: the others.
        """
        return [line for line in lines if not self._keep(line)]

    def text(self) -> str:
        """What has come, without the empty line at its end."""
        return b"\n".join(self._lines).decode("utf-8", "replace").rstrip()

    def _keep(self, line: bytes) -> bool:
        begins = _THREAD.match(line) is not None
        ours = begins or (self._inside and (_FRAME.match(line) is not None or not line.strip()))
        self._inside = ours
        if ours and self._size < _MOST:
            self._lines.append(line)
            self._size += len(line)
        return ours


class Stacks:
    """Has processes show their stacks and gives these to whoever wants them.

    :param instance: the instance folder: calls of the code in it are left out at the outer ends.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, processes: Callable[[], "dict[int, AppProcess]"], instance: str
    ) -> None:
        self._loop = loop
        self._processes = processes
        self._instance = instance
        self._running: dict[int, _Dump] = {}

    async def stacks_of(self, process_id: int) -> str:
        """The stacks of all threads of a process, or in brackets why there are none. They do not go to the log.

        :param process_id: the pool's.
        """
        process = self._processes().get(process_id)
        if process is None:
            return NO_ANSWER
        return await asyncio.shield(self._begin(process, False))

    def dump(self, process: AppProcess, reason: str) -> None:
        """Leave them in the app's log, behind a line that says why."""
        process.output.write_own_lines("JS3107: process %d: %s; its threads are at:" % (process.pid, reason))
        self._begin(process, True).add_done_callback(lambda done: self._say_if_none(process, done.result()))

    def begin(self, process: AppProcess, done: Callable[[str], None]) -> None:
        """As `stacks_of`, for whoever does not wait.

        :param done: called once with what it gives.
        """
        self._begin(process, False).add_done_callback(lambda future: done(future.result()))

    def after(self, process: AppProcess, action: Callable[[], None]) -> None:
        """Do something to a process when it has shown its stacks, if it is about to; else at once."""
        dump = self._running.get(process.process_id)
        if dump is None:
            action()
        else:
            dump.future.add_done_callback(lambda _: action())

    def _begin(self, process: AppProcess, logged: bool) -> "asyncio.Future[str]":
        running = self._running.get(process.process_id)
        if running is not None:
            running.logged = running.logged or logged
            return running.future
        if not process.pid or not linux.catches(process.pid, BACKTRACE_SIGNAL):
            future: "asyncio.Future[str]" = self._loop.create_future()
            future.set_result(NOT_POSSIBLE)
            return future
        dump = self._running[process.process_id] = _Dump(self._loop, process, self._instance, logged)
        dump.future.add_done_callback(lambda _: self._running.pop(process.process_id))
        process.signal(BACKTRACE_SIGNAL)
        return dump.future

    @staticmethod
    def _say_if_none(process: AppProcess, text: str) -> None:
        if text in (NO_ANSWER, NOT_POSSIBLE):
            process.output.write_own_lines(text)


class _Dump:
    """One process that was asked.

    :ivar logged: whether its stacks go to the app's log, too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, process: AppProcess, instance: str, logged: bool) -> None:
        self.future: "asyncio.Future[str]" = loop.create_future()
        self.logged = logged
        self._loop = loop
        self._process = process
        self._instance = instance
        self._capture = Capture()
        self._ends: float = loop.time() + _LONGEST
        self._timer: Optional[asyncio.TimerHandle] = loop.call_later(_PATIENCE, self._finish)
        self._output = process.stderr
        self._output.line_filter = self._filter

    def _filter(self, lines: list[bytes]) -> list[bytes]:
        others = self._capture.take(lines)
        if len(others) < len(lines) and self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_at(min(self._loop.time() + _QUIET, self._ends), self._finish)
        return others

    def _finish(self) -> None:
        self._timer = None
        self._output.line_filter = None
        text = app_stacks.shown(self._capture.text(), self._instance) if self._capture.begun else NO_ANSWER
        if self.logged and self._capture.begun:
            self._process.output.write_own_lines(*text.split("\n"))
        self.future.set_result(text)
