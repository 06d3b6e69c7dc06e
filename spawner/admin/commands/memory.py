"""`memory`: what httpd, the spawner and the apps' processes cost."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from spawner.admin.commands.command import Caller, SendProgress
from spawner.admin.commands.figures import Figures
from spawner.admin.commands.selection import usable_groups
from spawner.daemon.world import World


class Memory:
    """Lists processes with their memory; httpd's and the spawner's only for those who may use every app."""

    def __init__(self, world: World, figures: Figures) -> None:
        self._world = world
        self._figures = figures

    async def run(self, question: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`processes`, httpd's parent first."""
        usable = set(usable_groups(self._world, caller))
        found = self._server() if caller.privileged else []
        entries = [entry for entry in self._world.pool.processes.values() if entry.key in usable and entry.pid]
        found += [(entry.pid, entry.kind.value, entry.key) for entry in entries]
        await self._figures.look(pid for pid, _, _ in found)
        told = [self._describe(*one) for one in found]
        return {"processes": [one for one in told if one is not None]}

    def _server(self) -> list[tuple[int, str, Any]]:
        """httpd's parent, its children and the spawner."""
        httpd, own = self._world.parameters.httpd_pid, os.getpid()
        children = [(pid, "httpd", None) for pid in children_of(httpd) if pid != own]
        return [(httpd, "httpd", None), *children, (own, "spawner", None)]

    def _describe(self, pid: int, kind: str, key: Any) -> Any:
        figure = self._figures.of(pid)
        if figure is None:
            return None
        return {
            "pid": pid,
            "ppid": figure.ppid,
            "kind": kind,
            "group": key,
            "name": figure.name,
            "virtual": figure.virtual,
            **figure.memory(),
        }


def children_of(pid: int) -> list[int]:
    """The children of a process with one thread (proc(5)); none where the kernel does not tell."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/%d/task/%d/children" % (pid, pid), "rb") as file:
            return [int(word) for word in file.read().split()]
    return []
