"""`backtraces`: what every thread of running processes is doing, in lines of Python."""

from __future__ import annotations

import asyncio
from typing import Any

from spawner.admin.commands import fields
from spawner.admin.commands.command import Caller, SendProgress
from spawner.admin.commands.selection import find_process, select
from spawner.daemon.world import World
from spawner.pool.process import Process

_AT_ONCE = 32  # processes that are asked at the same time
_LONGEST = 131_072  # characters that are told of one


class Backtraces:
    """Has processes show their stacks."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, question: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`processes`, each with its text: that of one `pid`, or of the workers of apps.

        :raises Refusal: there is no such process or app of the caller's.
        """
        turns = asyncio.Semaphore(_AT_ONCE)
        entries = self._chosen(question, caller)
        return {"processes": await asyncio.gather(*[self._show(entry, turns) for entry in entries])}

    def _chosen(self, question: dict[str, Any], caller: Caller) -> list[Process]:
        pid = fields.process_number(question, "pid")
        if pid is not None:
            return [find_process(self._world, pid, caller)]
        keys = select(self._world, question, caller)
        return [entry for key in keys for entry in self._world.pool.groups[key].processes.values() if entry.pid]

    async def _show(self, entry: Process, turns: asyncio.Semaphore) -> dict[str, Any]:
        async with turns:
            text = await self._world.stacks.stacks_of(entry.process_id)
        return {"group": entry.key, "pid": entry.pid, "kind": entry.kind.value, "text": text[:_LONGEST]}
