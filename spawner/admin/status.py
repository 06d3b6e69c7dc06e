"""The answer to `status`: the pool's own description with what the operating system adds (docs/status-json.md)."""

from __future__ import annotations

import os
import time
from typing import Any, Collection

from spawner.admin.commands.figures import Figures
from spawner.daemon.world import World
from spawner.version import VERSION
from spawner.watching.queue_length import queue_length

SCHEMA = 1


def describe(world: World, keys: Collection[str], figures: Figures, started: float) -> dict[str, Any]:
    """The instance, the pool and some of the app groups.

    :param keys: of the groups that are to be told; the pool counts the others, too.
    :param figures: that have looked at their processes.
    :param started: when this spawner started, Unix time in seconds.
    """
    pool = world.pool
    shown = [entry for entry in pool.snapshot(time.monotonic())["groups"] if entry["name"] in keys]
    for entry in shown:
        _complete(world, entry, figures)
    return {
        "schema": SCHEMA,
        "instance": {
            "name": world.instance.name,
            "version": VERSION,
            "httpd_pid": world.parameters.httpd_pid,
            "spawner_pid": os.getpid(),
            "server_root": world.parameters.server_root,
            "server_software": world.parameters.server_software,
            "started": started,
            "epoch": pool.epoch,
        },
        "pool": {
            "max_pool_size": pool.server.max_pool_size,
            "workers": pool.worker_count,
            "groups": len(pool.groups),
        },
        "groups": shown,
    }


def _complete(world: World, entry: dict[str, Any], figures: Figures) -> None:
    group = world.groups.get(entry["name"])
    entry["user"] = group.user or None if group is not None else None
    entry["warnings"] = list(group.warnings) if group is not None else []
    entry["requests_waiting"] = group is not None and group.has_waiting()
    entry["requests_in_queue"] = queue_length(group.listener) if group is not None else None
    for process in entry["processes"]:
        figure = figures.of(process["pid"])
        process["cpu_percent"] = figure.cpu_percent if figure is not None else None
        process["memory"] = figure.memory() if figure is not None else None
