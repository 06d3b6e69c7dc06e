"""Starts that take longer than PassengerStartTimeout: reported with the output and the stacks of the process."""

from __future__ import annotations

import asyncio
import time
from typing import Optional

from spawner.daemon.event_dispatcher import Dispatch
from spawner.pool.pool import Pool
from spawner.pool.process import Process
from spawner.processes.app_process import AppProcess, AppRegistry
from spawner.processes.stack_capture import NOT_POSSIBLE, StackCapture

_CAPTURE_BEFORE = 0.5  # seconds before the timeout at which the stacks are captured, or a quarter of the timeout


class StartTimeouts:
    """Watches every process that starts.

    The pool knows the deadline, but neither output nor stacks. So a late start is reported from here, before the pool
    acts on the deadline; its stacks are captured a little earlier.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        registry: AppRegistry,
        stacks: StackCapture,
        dispatch: Dispatch,
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._registry = registry
        self._stacks = stacks
        self._dispatch = dispatch
        self._starting: set[int] = set()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._captured: dict[int, str] = {}

    def watch(self, process_id: int) -> None:
        """A process is being started."""
        self._starting.add(process_id)

    def capture_if_late(self, process_id: int) -> None:
        """Capture the stacks of a process, whose pid is known now, if it still starts shortly before the timeout."""
        entry = self._starting_entry(process_id)
        if entry is not None and process_id not in self._timers:
            timeout = self._timeout_of(entry)
            delay = entry.started + timeout - min(_CAPTURE_BEFORE, timeout / 4) - time.monotonic()
            self._timers[process_id] = self._loop.call_later(max(0.0, delay), self._capture, process_id)

    def forget(self, process_id: int) -> None:
        """A process has ended."""
        self._starting.discard(process_id)
        self._captured.pop(process_id, None)
        timer = self._timers.pop(process_id, None)
        if timer is not None:
            timer.cancel()

    def report_late(self) -> None:
        """Report every start that has taken too long, before the pool does it without output and stacks."""
        now = time.monotonic()
        for process_id in list(self._starting):
            entry, process = self._starting_entry(process_id), self._registry.processes.handle(process_id)
            if entry is None:
                self._starting.discard(process_id)
            elif process is not None and now >= entry.started + self._timeout_of(entry):
                self._report(entry, process)

    def _report(self, entry: Process, process: AppProcess) -> None:
        summary = "not up within %d s (PassengerStartTimeout)" % self._timeout_of(entry)
        stacks = self._captured.pop(entry.process_id, "")
        detail = "Its threads were at:\n%s" % stacks if stacks else ""
        failure = process.failure(entry.start_step, summary, detail)
        self._dispatch(self._pool.start_failed, entry.process_id, failure)

    def _capture(self, process_id: int) -> None:
        self._timers.pop(process_id, None)
        process = self._registry.processes.handle(process_id)
        if process is not None and self._starting_entry(process_id) is not None:
            self._stacks.start(process, lambda text: self._keep(process_id, text))

    def _keep(self, process_id: int, text: str) -> None:
        if text != NOT_POSSIBLE and self._starting_entry(process_id) is not None:
            self._captured[process_id] = text

    def _starting_entry(self, process_id: int) -> Optional[Process]:
        entry = self._registry.processes.entry(process_id)
        return entry if entry is not None and entry.starting else None

    def _timeout_of(self, entry: Process) -> int:
        return self._registry.groups.entries[entry.key].registration.options.start_timeout
