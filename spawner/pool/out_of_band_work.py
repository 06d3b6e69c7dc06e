"""Out-of-band work: a worker that has asked for it does it while another one serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from spawner.pool import room, spawning
from spawner.pool.effects import DoOutOfBandWork, DumpStacks
from spawner.pool.states import GroupState

if TYPE_CHECKING:
    from spawner.pool.group import Group
    from spawner.pool.pool import Pool
    from spawner.pool.process import Process

PATIENCE_SECONDS = 60.0  # after this one that is alone does its work when it is idle, and requests wait that long
MOST_SECONDS = 600.0  # from the order on; then another worker takes the place of the one that has not done it


def ask(pool: Pool, process: Process, now: float) -> None:
    """A worker's app wants it."""
    process.work_requested_at = process.work_requested_at or now
    consider(pool, pool.groups[process.key], now)


def done(pool: Pool, process: Process, now: float) -> None:
    """A worker has done it."""
    process.work_requested_at, process.work_granted_at, process.at_work = 0.0, 0.0, False
    consider(pool, pool.groups[process.key], now)


def consider(pool: Pool, group: Group, now: float) -> None:
    """Let the worker that has asked first do its work, if it is time: one of a group at a time."""
    wishing = [one for one in group.serving_workers() if one.work_requested_at and not one.needs_replacement]
    if not wishing or any(process.working for process in group.serving_workers()):
        return
    process = min(wishing, key=lambda wishing_process: wishing_process.work_requested_at)
    if len(group.serving_workers()) > 1 or (_stays_alone(pool, group, process, now) and not pool.is_busy(process)):
        process.work_granted_at = now
        pool.emit(DoOutOfBandWork(process.process_id))
    elif group.state is GroupState.SERVING and group.target < min(2, room.cap(pool, group)):
        group.target = 2
        spawning.ask(pool, group, now)
        pool.reconsider(now)


def gives_up_at(process: Process) -> Optional[float]:
    """When a worker that is to do its work, or at it, is not waited for any longer."""
    return process.work_granted_at + MOST_SECONDS if process.work_granted_at else None


def give_up(pool: Pool, group: Group, process: Process, now: float) -> None:
    """Work that hangs, or waits for a request that does, keeps neither the app's turn nor a place in the pool.

    The worker is told to go. It may finish within upkeep.LINGER_SECONDS.
    """
    what = "its out-of-band work has not been done within %d s" % MOST_SECONDS
    pool.log("warn", group.key, 3539, "%s: %s: another worker takes its place" % (process.title, what))
    pool.emit(DumpStacks(process.process_id, what))
    pool.retire(process, now)
    pool.settle(group, now)
    consider(pool, group, now)


def _stays_alone(pool: Pool, group: Group, process: Process, now: float) -> bool:
    return room.cap(pool, group) == 1 or now >= process.work_requested_at + PATIENCE_SECONDS
