"""`requests`: what the workers are at, this moment."""

from __future__ import annotations

import time
from typing import Any, Iterator

from spawner.admin.commands.command import Caller, SendProgress
from spawner.admin.commands.selection import select
from spawner.daemon.world import World
from spawner.pool.process import Process
from spawner.watching.request_in_flight import RequestInFlight


class Requests:
    """Reads the scoreboards' cells."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, question: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`requests`, the oldest first.

        :raises Refusal: no app of the caller's is named so.
        """
        now = time.monotonic()
        keys = select(self._world, question, caller)
        found = [_describe(*one, now) for key in keys for one in self._of(key)]
        return {"requests": sorted(found, key=lambda told: -float(told["age"]))}

    def _of(self, key: str) -> Iterator[tuple[Process, RequestInFlight]]:
        group = self._world.groups.get(key)
        for process in self._world.pool.groups[key].workers():
            if group is None or process.slot is None or group.scoreboard.read(process.slot).pid != process.pid:
                continue  # the slot is still, or already, another one's
            for request in group.scoreboard.requests(process.slot):
                yield process, request


def _describe(process: Process, request: RequestInFlight, now: float) -> dict[str, Any]:
    return {
        "group": process.key,
        "pid": process.pid,
        "thread": request.thread,
        "method": request.method,
        "host": request.host,
        "path": request.path,
        "age": round(max(0.0, now - request.since), 3),
        "deadline_in": None if request.deadline is None else round(request.deadline - now, 3),
    }
