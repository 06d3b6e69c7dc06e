"""What the scoreboard shows, and what follows from it: a group grows on evidence only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping

from spawner.pool import replacement, room, spawning
from spawner.pool.effects import RunHook

if TYPE_CHECKING:
    from spawner.pool.group import Group
    from spawner.pool.pool import Pool
    from spawner.pool.process import Reading

FULL_SAMPLES = 2  # samples in a row that show all workers full and a request waiting: then the group grows
HOOK_SECONDS = 1.0  # the hook queue_full_error is run at most once in this time for an app


def take(pool: Pool, group: Group, readings: Mapping[int, Reading], waiting: bool, now: float) -> None:
    """Note what a look at a group has shown.

    :param readings: by process id.
    :param waiting: whether a connection waits in the queue.
    """
    for process in list(group.workers()):
        reading = readings.get(process.process_id)
        if reading is None:
            continue
        if reading.requests != process.requests or reading.busy:
            group.last_active = now
        process.note(reading)
        if reading.overdue and not process.overdue:
            replacement.end_overdue(pool, group, process, now)
    _grow(pool, group, waiting, now)


def _grow(pool: Pool, group: Group, waiting: bool, now: float) -> None:
    """One more worker if none can take a request while one waits."""
    active = group.active_workers()
    full = waiting and bool(active) and all(process.serving and process.full for process in active)
    group.full_samples = group.full_samples + 1 if full else 0
    if group.full_samples >= FULL_SAMPLES and group.settled_size < room.cap(pool, group) and now >= group.spawn_after:
        group.full_samples = 0
        group.target = group.settled_size + 1
        spawning.ask(pool, group, now)


def overflow(pool: Pool, group: Group, count: int, now: float) -> None:
    """Note that httpd has answered requests 503, for the group's queue was full."""
    group.overflows += count
    if now >= group.hook_after:
        group.hook_after = now + HOOK_SECONDS
        message = "the request queue of %s is full: %d requests were answered 503" % (group.key, group.overflows)
        pool.emit(RunHook("queue_full_error", group.key, 0, "", message))
