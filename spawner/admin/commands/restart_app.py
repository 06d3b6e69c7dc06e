"""`restart_app`: restarts apps, and waits until the new code serves where that is wanted."""

from __future__ import annotations

import time
from typing import Any, Optional

from spawner.admin.commands import fields
from spawner.admin.commands.command import Caller, SendProgress
from spawner.admin.commands.selection import select
from spawner.admin.restart_progress import ENDS, Listener
from spawner.daemon.world import Feed, World
from spawner.pool.effects import Progress
from spawner.pool.snapshot import describe_failure

METHODS = ("rolling", "blocking")


class RestartApp:
    """Restarts every app that is named.

    :param feed: tells the pool something (`EventLoop.feed`).
    """

    def __init__(self, world: World, feed: Feed) -> None:
        self._world = world
        self._feed = feed

    async def run(self, question: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`groups`: what became of each.

        :raises Refusal: no app of the caller's is named so.
        """
        method = fields.choice(question, "method", METHODS)
        wait = fields.flag(question, "wait")
        keys = select(self._world, question, caller)
        with self._world.restarts.listen(keys) as listener:
            began = time.monotonic()
            for key in keys:
                listener.awaited[key] = self._restart(key, method, wait)
            if not wait:
                return {"groups": [_outcome(key, listener.awaited[key], "started", 0.0) for key in keys]}
            return {"groups": await _follow(listener, began, progress)}

    def _restart(self, key: str, method: Optional[str], wait: bool) -> int:
        """The generation that will answer for it."""
        generation = 0

        def restart(now: float) -> None:
            nonlocal generation
            generation = self._world.pool.restart(key, now, method, wait)

        self._feed(restart)
        return generation


async def _follow(listener: Listener, began: float, progress: SendProgress) -> list[dict[str, Any]]:
    """Pass the steps on until every app has come to an end."""
    outcomes: dict[str, dict[str, Any]] = {}
    while len(outcomes) < len(listener.awaited):
        step = await listener.next()
        if step.key in outcomes:
            continue
        await progress(_told(step))
        if step.stage in ENDS:
            seconds = round(time.monotonic() - began, 3)
            outcomes[step.key] = _outcome(step.key, step.generation, step.stage, seconds, step)
    return [outcomes[key] for key in listener.awaited]


def _told(step: Progress) -> dict[str, Any]:
    return {
        "group": step.key,
        "generation": step.generation,
        "stage": step.stage,
        "done": step.done,
        "total": step.total,
        "failure": None if step.failure is None else describe_failure(step.failure),
    }


def _outcome(
    key: str, generation: int, outcome: str, seconds: float, step: Optional[Progress] = None
) -> dict[str, Any]:
    failure = step.failure if step is not None else None
    return {
        "group": key,
        "generation": generation,
        "outcome": outcome,
        "seconds": seconds,
        "failure": None if failure is None else describe_failure(failure),
    }
