"""Why the spawner ends: httpd has ended, or a signal."""

from __future__ import annotations

import asyncio
import select
import signal
import time

from spawner.pool.pool import Pool
from spawner.processes import stray_processes
from spawner.processes.app_process import AppRegistry
from spawner.processes.reaper import Reaper


class EndConditions:
    """Handles signals and watches the lifeline.

    :param lifeline: descriptor of the pipe that ends when httpd has ended; it stays the caller's.
    :ivar reason: set when the spawner is to end, to the reason for the log.
    :ivar sessions: of the processes of apps at that moment, see stray_processes.sessions_of.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        registry: AppRegistry,
        reaper: Reaper,
        lifeline: int,
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._registry = registry
        self._reaper = reaper
        self._lifeline = lifeline
        self.reason: asyncio.Future[str] = loop.create_future()
        self.sessions: dict[int, int] = {}

    def watch(self) -> None:
        """Begin. Signals get handlers, not SIG_IGN: every app would inherit that they are ignored."""
        self._loop.add_reader(self._lifeline, self._lifeline_readable)
        self._loop.add_signal_handler(signal.SIGCHLD, self._reaper.collect)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end, "signal %d" % number)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
            self._loop.add_signal_handler(number, lambda: None)

    def close(self) -> None:
        """Handle the signals no longer that would end the spawner."""
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)

    def control_line_ended(self) -> None:
        """httpd's parent has closed the control line."""
        self._end("httpd has closed the control line")

    def check_lifeline(self) -> None:
        """When httpd ends, apps end by themselves, and their end may be noticed first: it is no fault of theirs."""
        poll = select.poll()
        poll.register(self._lifeline, select.POLLIN)
        if not self._pool.ending and poll.poll(0):
            self._end("httpd has ended")
            self._pool.shut_down(0.0, time.monotonic())  # the deadline is not known yet

    def _lifeline_readable(self) -> None:
        """Nobody writes to the lifeline: it is readable when httpd has ended."""
        self._loop.remove_reader(self._lifeline)
        self._end("httpd has ended")

    def _end(self, reason: str) -> None:
        if not self.reason.done():
            # While all processes are still there: what they have started is found by their sessions.
            self.sessions = stray_processes.sessions_of(self._registry.processes.handles.values())
            self.reason.set_result(reason)
