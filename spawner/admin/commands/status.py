"""`status`: everything that is known of the apps (docs/status-json.md)."""

from __future__ import annotations

from typing import Any, Callable

from spawner.admin import status
from spawner.admin.commands.command import Caller, SendProgress
from spawner.admin.commands.figures import Figures
from spawner.admin.commands.selection import is_usable
from spawner.daemon.world import World


class Status:
    """Describes the apps that the caller may see.

    :param look: has the scoreboards read, so that the answer's figures are those of now.
    :param started: when this spawner started, Unix time in seconds.
    """

    def __init__(self, world: World, figures: Figures, look: Callable[[], None], started: float) -> None:
        self._world = world
        self._figures = figures
        self._look = look
        self._started = started

    async def run(self, question: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """The whole answer."""
        shown = [key for key in self._world.pool.groups if is_usable(self._world, key, caller)]
        await self._figures.look(
            process.pid for process in self._world.pool.processes.values() if process.key in set(shown)
        )
        self._look()
        return status.describe(self._world, set(shown), self._figures, self._started)
