"""Out-of-band work: a worker that has asked for it does it while another one serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spawner.pool import room, spawning
from spawner.pool.effects import Work
from spawner.pool.states import GroupState

if TYPE_CHECKING:
    from spawner.pool.group import Group
    from spawner.pool.pool import Pool
    from spawner.pool.process import Process

PATIENCE_SECONDS = 60.0  # after this one that is alone does its work when it is idle, and requests wait that long


def consider(pool: Pool, group: Group, now: float) -> None:
    """Let the worker that has asked first do its work, if it is time: one of a group at a time."""
    wishing = [process for process in group.serving_workers() if process.work_asked and not process.outworn]
    if not wishing or any(process.working for process in group.workers()):
        return
    process = min(wishing, key=lambda wishing_process: wishing_process.work_asked)
    if len(group.serving_workers()) > 1 or (_stays_alone(pool, group, process, now) and not pool.is_busy(process)):
        process.work_granted = True
        pool.emit(Work(process.process_id))
    elif group.state is GroupState.SERVING and group.target < min(2, room.cap(pool, group)):
        group.target = 2
        spawning.ask(pool, group, now)
        pool.reconsider(now)


def _stays_alone(pool: Pool, group: Group, process: Process, now: float) -> bool:
    return room.cap(pool, group) == 1 or now >= process.work_asked + PATIENCE_SECONDS
