"""`restart_app`: restarts apps and, if the caller asks for it, waits until the new code serves."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Collection, Optional, Protocol

from spawner.admin.command import Arguments, Caller, SendProgress, choice_argument, flag_argument
from spawner.admin.selection import AppSelection
from spawner.pool.effects import Progress
from spawner.pool.snapshot import describe_failure
from spawner.start_failure import StartFailure

METHODS = ("rolling", "blocking")
_FINAL_STAGES = ("completed", "failed")
_APP_REMOVED = StartFailure("restart", "the app has ended: Apache stops, or its configuration knows the app no more")


class RestartProgress:
    """Passes the steps of restarts on to those who wait for them."""

    def __init__(self) -> None:
        self._waiters: list[RestartWaiter] = []

    def publish(self, step: Progress) -> None:
        """Pass a step on to those who wait for its app."""
        for waiter in self._waiters:
            if step.key in waiter.generations:
                waiter.steps.put_nowait(step)

    def group_removed(self, key: str) -> None:
        """An app has ended: the restart has failed for all who wait for it."""
        for waiter in self._waiters:
            if key in waiter.generations:
                waiter.steps.put_nowait(Progress(key, waiter.generations[key], "failed", 0, 0, _APP_REMOVED))

    def wait_for(self, keys: Collection[str]) -> "RestartWaiter":
        """Receive the steps of some apps, from the beginning of a `with` block to its end."""
        return RestartWaiter(self._waiters, keys)


class RestartWaiter:
    """One who waits for the restarts of some apps.

    :ivar generations: by the app's key, the generation that is waited for.
    """

    def __init__(self, waiters: list["RestartWaiter"], keys: Collection[str]) -> None:
        self.generations = dict.fromkeys(keys, 0)
        self.steps: asyncio.Queue[Progress] = asyncio.Queue()
        self._waiters = waiters

    def __enter__(self) -> "RestartWaiter":
        self._waiters.append(self)
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._waiters.remove(self)

    async def next(self) -> Progress:
        """The next step of an awaited generation or, where a newer restart takes over, of a later one."""
        while True:
            step = await self.steps.get()
            if step.generation >= self.generations[step.key]:
                return step


class RestartApp(Protocol):
    """Tells the pool to restart an app."""

    def __call__(self, key: str, method: Optional[str], wait: bool) -> int:
        """Restart an app.

        :param method: one of METHODS; None: as configured.
        :param wait: somebody waits for it, so an app without a process is started, too.
        :returns: the generation whose first `completed` or `failed` ends the wait.
        """


class RestartCommand:
    """Restarts every app that the command names."""

    def __init__(self, selection: AppSelection, restart: RestartApp, progress: RestartProgress) -> None:
        self._selection = selection
        self._restart = restart
        self._progress = progress

    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`groups`: the outcome of each.

        :raises Refusal: the caller has no such app.
        """
        method = choice_argument(arguments, "method", METHODS)
        wait = flag_argument(arguments, "wait")
        keys = self._selection.select(arguments, caller)
        with self._progress.wait_for(keys) as waiter:
            began = time.monotonic()
            for key in keys:
                waiter.generations[key] = self._restart(key, method, wait)
            if not wait:
                return {"groups": [_outcome(key, waiter.generations[key], "started", 0.0) for key in keys]}
            return {"groups": await _wait(waiter, began, progress)}


async def _wait(waiter: RestartWaiter, began: float, progress: SendProgress) -> list[dict[str, Any]]:
    """Send the steps to the caller until every app has completed or failed."""
    outcomes: dict[str, dict[str, Any]] = {}
    while len(outcomes) < len(waiter.generations):
        step = await waiter.next()
        if step.key in outcomes:
            continue
        await progress(_describe_step(step))
        if step.stage in _FINAL_STAGES:
            seconds = round(time.monotonic() - began, 3)
            outcomes[step.key] = _outcome(step.key, step.generation, step.stage, seconds, step.failure)
    return [outcomes[key] for key in waiter.generations]


def _describe_step(step: Progress) -> dict[str, Any]:
    return {
        "group": step.key,
        "generation": step.generation,
        "stage": step.stage,
        "done": step.done,
        "total": step.total,
        "failure": None if step.failure is None else describe_failure(step.failure),
    }


def _outcome(
    key: str, generation: int, outcome: str, seconds: float, failure: Optional[StartFailure] = None
) -> dict[str, Any]:
    return {
        "group": key,
        "generation": generation,
        "outcome": outcome,
        "seconds": seconds,
        "failure": None if failure is None else describe_failure(failure),
    }
