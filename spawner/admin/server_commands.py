"""Commands about the server as a whole: `memory` and `reopen_logs`."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Callable, Optional

from spawner.admin.command import Arguments, Caller, Denied, SendProgress
from spawner.admin.process_usage import UsageReader
from spawner.admin.selection import AppSelection
from spawner.processes.app_process import AppRegistry


class MemoryCommand:
    """Lists processes with their memory; httpd's and the spawner's only for callers who may use every app.

    :param httpd_pid: of httpd's parent process.
    """

    def __init__(self, registry: AppRegistry, selection: AppSelection, usage: UsageReader, httpd_pid: int) -> None:
        self._registry = registry
        self._selection = selection
        self._usage = usage
        self._httpd_pid = httpd_pid

    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`processes`, httpd's parent first."""
        usable = set(self._selection.usable_groups(caller))
        found = self._server_processes() if caller.privileged else []
        entries = self._registry.processes.entries.values()
        processes = [process for process in entries if process.key in usable and process.pid]
        found += [(process.pid, process.kind.value, process.key) for process in processes]
        await self._usage.read(pid for pid, _, _ in found)
        described = [self._describe(*one) for one in found]
        return {"processes": [one for one in described if one is not None]}

    def _server_processes(self) -> list[tuple[int, str, Optional[str]]]:
        """httpd's parent, its children and the spawner."""
        own = os.getpid()
        children: list[tuple[int, str, Optional[str]]]
        children = [(pid, "httpd", None) for pid in children_of(self._httpd_pid) if pid != own]
        return [(self._httpd_pid, "httpd", None), *children, (own, "spawner", None)]

    def _describe(self, pid: int, kind: str, key: Optional[str]) -> Optional[dict[str, Any]]:
        usage = self._usage.usage_of(pid)
        if usage is None:
            return None
        return {
            "pid": pid,
            "ppid": usage.ppid,
            "kind": kind,
            "group": key,
            "name": usage.name,
            "virtual": usage.virtual,
            **usage.memory(),
        }


def children_of(pid: int) -> list[int]:
    """The children of a process with one thread (proc(5)); none where the kernel does not tell."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/%d/task/%d/children" % (pid, pid), "rb") as file:
            return [int(word) for word in file.read().split()]
    return []


class ReopenLogsCommand:
    """Opens log files again after they were moved away. For privileged callers only: the logs are those of all apps.

    :param reopen: opens them and returns their paths; raises Failed.
    """

    def __init__(self, reopen: Callable[[], list[str]]) -> None:
        self._reopen = reopen

    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`logs`: the paths of the files that were opened.

        :raises Denied: the caller is neither root nor the spawner's own user.
        :raises Failed: one cannot be opened.
        """
        if not caller.privileged:
            raise Denied("only root may reopen the logs")
        return {"logs": self._reopen()}
