"""Where a process hangs that does not come up within PassengerStartTimeout: file and line, for log, status and page."""

from __future__ import annotations

import asyncio
import time

from spawner.daemon.world import World
from spawner.processes.stack_capture import NOT_POSSIBLE

_BEFORE = 0.5  # seconds before a process is given up at which its stacks are asked for, or a quarter of the limit


class SlowStarts:
    """Has the stacks of a process by the time at which it is given up.

    They are asked for a little earlier: whoever decides on its end (the pool) knows of no stacks and waits for none.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, world: World) -> None:
        self._loop = loop
        self._world = world
        self._watched: set[int] = set()
        self._found: dict[int, str] = {}

    def watch(self, process_id: int) -> None:
        """Ask a process for its stacks, once, if it is not up shortly before its time is over."""
        pool = self._world.pool
        entry = pool.processes.get(process_id)
        if entry is not None and process_id not in self._watched:
            self._watched.add(process_id)
            limit = pool.groups[entry.key].registration.options.start_timeout
            due = entry.started + limit - min(_BEFORE, limit / 4)
            self._loop.call_later(max(0.0, due - time.monotonic()), self._ask, process_id)

    def take(self, process_id: int) -> str:
        """Where its threads were, in words; empty if nobody has asked, or it cannot tell."""
        text = self._found.pop(process_id, "")
        return "Its threads were at:\n%s" % text if text else ""

    def _ask(self, process_id: int) -> None:
        self._watched.discard(process_id)
        process = self._world.processes.get(process_id)
        if process is not None and self._is_coming(process_id):
            self._world.stacks.begin(process, lambda text: self._keep(process_id, text))

    def _keep(self, process_id: int, text: str) -> None:
        if text != NOT_POSSIBLE and self._is_coming(process_id):
            self._found[process_id] = text

    def _is_coming(self, process_id: int) -> bool:
        entry = self._world.pool.processes.get(process_id)
        return entry is not None and entry.starting
