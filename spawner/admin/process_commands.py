"""Commands about single processes: `requests`, `backtraces` and `detach_process`."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Awaitable, Callable, Iterator

from spawner.admin.command import Arguments, BadCommand, Caller, NotFound, SendProgress, pid_argument
from spawner.admin.selection import AppSelection
from spawner.pool.process import Process
from spawner.processes.app_process import AppRegistry
from spawner.processes.scoreboard_reader import RunningRequest

_CAPTURES_AT_ONCE = 32  # processes whose stacks are captured at the same time
_LONGEST_STACKS = 131_072  # characters of one process in the answer


class RequestsCommand:
    """Lists the requests that workers are in, from their scoreboards."""

    def __init__(self, registry: AppRegistry, selection: AppSelection) -> None:
        self._registry = registry
        self._selection = selection

    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`requests`, the oldest first.

        :raises Refusal: the caller has no such app.
        """
        now = time.monotonic()
        keys = self._selection.select(arguments, caller)
        found = [_describe(*one, now) for key in keys for one in self._requests_of(key)]
        return {"requests": sorted(found, key=lambda request: -float(request["age"]))}

    def _requests_of(self, key: str) -> Iterator[tuple[Process, RunningRequest]]:
        resources = self._registry.groups.handle(key)
        for process in self._registry.groups.entries[key].workers():
            if resources is None or process.slot is None:
                continue
            if resources.scoreboard.read(process.slot).pid != process.pid:
                continue  # the slot still has the values of the worker before, or already those of the next one
            for request in resources.scoreboard.requests(process.slot):
                yield process, request


def _describe(process: Process, request: RunningRequest, now: float) -> dict[str, Any]:
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


class BacktracesCommand:
    """Shows the stacks of all threads of processes.

    :param stacks_of: captures those of one process, by the pool's process id.
    """

    def __init__(
        self, registry: AppRegistry, selection: AppSelection, stacks_of: Callable[[int], Awaitable[str]]
    ) -> None:
        self._registry = registry
        self._selection = selection
        self._stacks_of = stacks_of

    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`processes`, each with its text: the process of `pid`, or all processes of the apps that are named.

        :raises Refusal: the caller has no such process or app.
        """
        limit = asyncio.Semaphore(_CAPTURES_AT_ONCE)
        processes = self._selected(arguments, caller)
        return {"processes": await asyncio.gather(*[self._show(process, limit) for process in processes])}

    def _selected(self, arguments: Arguments, caller: Caller) -> list[Process]:
        pid = pid_argument(arguments, "pid")
        if pid is not None:
            return [self._selection.find_process(pid, caller)]
        keys = self._selection.select(arguments, caller)
        groups = [self._registry.groups.entries[key] for key in keys]
        return [process for group in groups for process in group.processes.values() if process.pid]

    async def _show(self, process: Process, limit: asyncio.Semaphore) -> dict[str, Any]:
        async with limit:
            text = await self._stacks_of(process.process_id)
        return {
            "group": process.key,
            "pid": process.pid,
            "kind": process.kind.value,
            "text": text[:_LONGEST_STACKS],
        }


class DetachProcessCommand:
    """Has one process finish its requests and end; another one is started where it is needed.

    :param detach: tells the pool, by the pool's process id.
    """

    def __init__(self, selection: AppSelection, detach: Callable[[int], None]) -> None:
        self._selection = selection
        self._detach = detach

    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`group`: the app that the process belonged to; `kind`: what it was to it.

        :raises NotFound: the caller has no such process, or it has been told to end before.
        """
        pid = pid_argument(arguments, "pid")
        if pid is None:
            raise BadCommand("'pid' says which process")
        process = self._selection.find_process(pid, caller)
        if process.retiring:
            raise NotFound("process %d has been told to end already" % pid)
        self._detach(process.process_id)
        return {"group": process.key, "kind": process.kind.value}
