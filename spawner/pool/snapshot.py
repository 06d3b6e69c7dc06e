"""The pool as plain data, for the admin socket (docs/status-json.md)."""

from __future__ import annotations

from typing import Any

from spawner.pool.capacity import Capacity
from spawner.pool.group import Group
from spawner.pool.process import Process
from spawner.pool.release import PinnedRelease, Restart
from spawner.start_failure import StartFailure


def describe_group(group: Group, capacity: Capacity, now: float) -> dict[str, Any]:
    """One app group. Times are seconds, ages count back from `now`."""
    registration = group.registration
    release, failure = group.release, group.backoff.failure
    return {
        "name": group.key,
        "app_root": registration.app_root,
        "app_type": registration.app_type,
        "startup_file": registration.startup_file,
        "environment": registration.options.app_env,
        "htaccess": list(registration.htaccess),
        "server_name": registration.server_name,
        "base_uri": registration.base_uri,
        "spawn_method": "smart" if registration.preloads else "direct",
        "state": group.state.value,
        "generation": release.current,
        "next_generation": release.next,
        "target": group.sizing.target,
        "restart": None if release.restart is None else describe_restart(release.restart, now),
        "pinned_release": None if release.pinned is None else describe_pinned_release(release.pinned, now),
        "always_restart": group.always_restart,
        "configured": capacity.configuration.has(registration),
        "pool_full": {"wants": group.sizing.target, "has": len(group.active_workers())}
        if group.finds_pool_full
        else None,
        "waits_for_place": capacity.lacks_place(group.key),
        "requests_rejected": group.rejected,
        "failure": None
        if failure is None
        else {
            **describe_failure(failure),
            "age": round(now - group.backoff.failed_at, 3),
            "retry_in": round(max(0.0, group.backoff.retry_at - now), 3),
        },
        "processes": [describe_process(process, now) for process in group.processes.values()],
    }


def describe_restart(restart: Restart, now: float) -> dict[str, Any]:
    """A restart that is under way."""
    return {
        "generation": restart.generation,
        "stage": restart.stage,
        "done": restart.done,
        "total": restart.total,
        "age": round(now - restart.began, 3),
    }


def describe_pinned_release(pinned: PinnedRelease, now: float) -> dict[str, Any]:
    """Why an old release continues to serve."""
    return {
        "generation": pinned.generation,
        "age": round(now - pinned.since, 3),
        **describe_failure(pinned.failure),
    }


def describe_failure(failure: StartFailure) -> dict[str, Any]:
    """Why a start failed."""
    return {
        "step": failure.step,
        "summary": failure.summary,
        "detail": failure.detail,
        "facts": dict(failure.facts),
        "error_id": failure.error_id,
    }


def describe_process(process: Process, now: float) -> dict[str, Any]:
    """One process of an app."""
    return {
        "process_id": process.process_id,
        "pid": process.pid,
        "kind": process.kind.value,
        "state": process.state.value,
        "generation": process.generation,
        "slot": process.slot,
        "requests": process.requests,
        "busy": process.busy,
        "running": process.running,
        "capacity": process.capacity,
        "working": process.working,
        "work_wanted": bool(process.work_requested_at) and not process.working,
        "max_requests_reached": process.max_requests_reached,
        "too_large": process.too_large,
        "overdue": process.overdue,
        "single_request": process.single_request,
        "uptime": round(now - process.started, 3),
        "idle": round(max(0.0, now - process.idle_since), 3) if process.idle_since and not process.busy else 0.0,
    }
