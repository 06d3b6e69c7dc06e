"""What a look at the scoreboard and at the queue shows, and what follows: an app grows on what was seen only."""

from __future__ import annotations

from typing import Mapping

from spawner.pool.capacity import Capacity
from spawner.pool.effects import RunHook
from spawner.pool.group import Group
from spawner.pool.policies import limits
from spawner.pool.process import Reading

HOOK_SECONDS = 1.0  # the hook queue_full_error is run at most once in this time for an app


def note_look(
    group: Group,
    capacity: Capacity,
    readings: Mapping[int, Reading],
    request_waits: bool,
    can_cancel: bool,
    now: float,
) -> None:
    """Take over what a look at a group has shown.

    :param readings: by process id.
    :param request_waits: whether a connection waits in the queue.
    :param can_cancel: whether its workers can end one of their requests.
    """
    for process in list(group.workers()):
        reading = readings.get(process.process_id)
        if reading is None:
            continue
        if reading.requests != process.requests or reading.busy:
            group.last_active = now
        process.note(reading)
        limits.note_overdue(group, process, reading.overdue, can_cancel, now)
    _grow(group, capacity, request_waits, now)


def _grow(group: Group, capacity: Capacity, request_waits: bool, now: float) -> None:
    """One more worker if none can take a request while one waits."""
    active = group.active_workers()
    full = request_waits and bool(active) and all(process.serving and process.full for process in active)
    enough = group.sizing.note_look(full)
    if enough and group.kept < capacity.cap(group) and now >= group.backoff.start_after:
        group.sizing.grow(len(active))


def queue_overflowed(group: Group, count: int, now: float) -> None:
    """Note that httpd has answered requests 503, for the group's queue was full."""
    group.rejected += count
    if now >= group.queue_full_hook_after:
        group.queue_full_hook_after = now + HOOK_SECONDS
        message = "the request queue of %s is full: %d requests were answered 503" % (group.key, group.rejected)
        group.emit(RunHook("queue_full_error", group.key, 0, "", message))
