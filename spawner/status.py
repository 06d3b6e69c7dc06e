"""The answer to `status`: the pool's own description with what the operating system adds (docs/status-json.md)."""

from __future__ import annotations

import time
from typing import Any, Optional

import psutil

from spawner.version import VERSION
from spawner.world import World

SCHEMA = 1


def describe(world: World, uid: Optional[int], started: float) -> dict[str, Any]:
    """Everything, or what concerns the apps of one user.

    :param uid: whose apps; None for all.
    :param started: when this spawner started, Unix time in seconds.
    """
    pool = world.pool
    described = pool.snapshot(time.monotonic())["groups"]
    shown = [entry for entry in described if uid is None or _uid_of(world, entry["name"]) == uid]
    for entry in shown:
        _complete(world, entry)
    return {
        "ok": True,
        "schema": SCHEMA,
        "instance": {
            "name": world.instance.name,
            "version": VERSION,
            "httpd_pid": world.parameters.httpd_pid,
            "spawner_pid": psutil.Process().pid,
            "server_root": world.parameters.server_root,
            "server_software": world.parameters.server_software,
            "started": started,
            "epoch": pool.epoch,
        },
        "pool": {
            "max_pool_size": pool.server.max_pool_size,
            "workers": sum(len(group.active()) for group in pool.groups.values()),
            "groups": len(pool.groups),
        },
        "groups": shown,
    }


def _uid_of(world: World, key: str) -> Optional[int]:
    group = world.groups.get(key)
    return group.uid if group is not None else None


def _complete(world: World, entry: dict[str, Any]) -> None:
    group = world.groups.get(entry["name"])
    entry["user"] = group.user or None if group is not None else None
    entry["warnings"] = list(group.warnings) if group is not None else []
    entry["requests_waiting"] = group is not None and group.has_waiting()
    for process in entry["processes"]:
        process["cpu_percent"], process["memory"] = _figures(process["pid"])


def _figures(pid: int) -> tuple[Optional[float], Optional[dict[str, Optional[int]]]]:
    """CPU since its start in percent of one, and memory in bytes; None for what cannot be known."""
    if pid <= 0:
        return None, None
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        age = max(0.001, time.time() - process.create_time())
        percent = round(100.0 * (times.user + times.system) / age, 2)
        rss = process.memory_info().rss
    except psutil.Error:
        return None, None
    try:
        full = process.memory_full_info()
    except psutil.Error:
        return percent, {"rss": rss, "pss": None, "uss": None}
    return percent, {"rss": rss, "pss": full.pss, "uss": full.uss}
