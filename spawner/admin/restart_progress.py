"""How restarts get on, told to those who wait for them."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Collection, Optional

from spawner.pool.effects import Progress
from spawner.start_failure import StartFailure

ENDS = ("completed", "failed")
_GONE = StartFailure("restart", "the app has ended: Apache stops, or its configuration knows the app no more")


class RestartProgress:
    """Hands each step to those who listen for its app."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def publish(self, step: Progress) -> None:
        """Tell a step to those whom it concerns."""
        for listener in self._listeners:
            if step.key in listener.awaited:
                listener.steps.put_nowait(step)

    def group_ended(self, key: str) -> None:
        """An app is there no more: for whoever waits for it the restart has failed."""
        for listener in self._listeners:
            if key in listener.awaited:
                listener.steps.put_nowait(Progress(key, listener.awaited[key], "failed", 0, 0, _GONE))

    def listen(self, keys: Collection[str]) -> "Listener":
        """Listen for the steps of some apps, from the beginning of a `with` block to its end."""
        return Listener(self._listeners, keys)


class Listener:
    """One who waits.

    :ivar awaited: the apps' keys, each with the generation whose end is waited for.
    """

    def __init__(self, listeners: list["Listener"], keys: Collection[str]) -> None:
        self.awaited = dict.fromkeys(keys, 0)
        self.steps: asyncio.Queue[Progress] = asyncio.Queue()
        self._listeners = listeners

    def __enter__(self) -> "Listener":
        self._listeners.append(self)
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._listeners.remove(self)

    async def next(self) -> Progress:
        """The next step of an awaited generation or, where a newer restart takes over, of a later one."""
        while True:
            step = await self.steps.get()
            if step.generation >= self.awaited[step.key]:
                return step
