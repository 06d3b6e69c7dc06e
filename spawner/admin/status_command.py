"""`status`: all that is known of the apps: the pool's description and what the operating system adds to it.

docs/status-json.md describes the answer.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

from spawner.admin.command import Arguments, Caller, SendProgress
from spawner.admin.process_usage import UsageReader
from spawner.admin.selection import AppSelection
from spawner.options import AppOptions
from spawner.pool.pool import Pool
from spawner.processes.app_limits import limits_in_force
from spawner.processes.app_process import AppRegistry
from spawner.processes.group_resources import GroupResources, queue_length
from spawner.processes.import_warnings import ImportWarnings
from spawner.version import VERSION

SCHEMA = 1


@dataclass(frozen=True)
class InstanceFacts:
    """What does not change while the spawner runs.

    :ivar name: the instance's, which the command line tools show.
    :ivar started: when this spawner started, Unix time in seconds.
    """

    name: str
    httpd_pid: int
    server_root: str
    server_software: str
    started: float


class StatusCommand:
    """Describes the apps that the caller may see.

    :param sample: reads the scoreboards now, so that the answer has the values of this moment.
    """

    def __init__(
        self,
        pool: Pool,
        registry: AppRegistry,
        selection: AppSelection,
        usage: UsageReader,
        sample: Callable[[], None],
        facts: InstanceFacts,
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._selection = selection
        self._usage = usage
        self._sample = sample
        self._facts = facts

    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """The whole answer. The pool's totals count every app."""
        shown = {key for key in self._registry.groups.entries if self._selection.is_usable(key, caller)}
        processes = self._registry.processes.entries.values()
        await self._usage.read([process.pid for process in processes if process.key in shown])
        self._sample()
        groups = [entry for entry in self._pool.snapshot(time.monotonic())["groups"] if entry["name"] in shown]
        for entry in groups:
            self._add_resources(entry)
        return {"schema": SCHEMA, "instance": self._instance(), "pool": self._totals(), "groups": groups}

    def _instance(self) -> dict[str, Any]:
        return {
            "name": self._facts.name,
            "version": VERSION,
            "httpd_pid": self._facts.httpd_pid,
            "spawner_pid": os.getpid(),
            "server_root": self._facts.server_root,
            "server_software": self._facts.server_software,
            "started": self._facts.started,
            "epoch": self._pool.capacity.configuration.epoch,
        }

    def _totals(self) -> dict[str, int]:
        return {
            "max_pool_size": self._pool.server.max_pool_size,
            "workers": self._pool.capacity.worker_count,
            "groups": len(self._registry.groups.entries),
        }

    def _add_resources(self, entry: dict[str, Any]) -> None:
        resources = self._registry.groups.handle(entry["name"])
        entry["user"] = resources.user or None if resources is not None else None
        self._add_configured(entry, resources)
        entry["requests_waiting"] = resources is not None and resources.has_waiting()
        entry["requests_in_queue"] = queue_length(resources.listener) if resources is not None else None
        for process in entry["processes"]:
            usage = self._usage.usage_of(process["pid"])
            process["cpu_percent"] = usage.cpu_percent if usage is not None else None
            process["memory"] = usage.memory() if usage is not None else None

    def _add_configured(self, entry: dict[str, Any], resources: Optional[GroupResources]) -> None:
        """What is said of the app's import, and of its limits, as they are configured now."""
        group = self._registry.groups.entry(entry["name"])
        options = group.registration.options if group is not None else AppOptions()
        warnings = resources.import_warnings if resources is not None else ImportWarnings()
        entry["warnings"], entry["known_warnings"] = warnings.shown(options.known_import_warnings)
        entry["limits"] = limits_in_force(options, resources.without_effect if resources is not None else {})
