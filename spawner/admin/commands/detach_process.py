"""`detach_process`: a process finishes what it has and goes; another one comes where it is needed."""

from __future__ import annotations

from typing import Any

from spawner.admin.commands import fields
from spawner.admin.commands.command import Caller, SendProgress
from spawner.admin.commands.refusals import BadCommand, NotFound
from spawner.admin.commands.selection import find_process
from spawner.daemon.world import Feed, World


class DetachProcess:
    """Detaches one process by its pid.

    :param feed: tells the pool something (`EventLoop.feed`).
    """

    def __init__(self, world: World, feed: Feed) -> None:
        self._world = world
        self._feed = feed

    async def run(self, question: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`group`: whose process it was; `kind`: what it was to it. A preloader has nothing to finish.

        :raises NotFound: no app of the caller's has such a process, or it has been told to go before.
        """
        pid = fields.process_number(question, "pid")
        if pid is None:
            raise BadCommand("'pid' says which process")
        process = find_process(self._world, pid, caller)
        if process.retiring:
            raise NotFound("process %d has been told to end already" % pid)
        self._feed(self._world.pool.detach_process, process.process_id)
        return {"group": process.key, "kind": process.kind.value}
