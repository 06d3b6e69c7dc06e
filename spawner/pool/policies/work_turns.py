"""Whose turn it is to do its out-of-band work: one worker of an app at a time, while another one serves."""

from __future__ import annotations

from typing import Optional

from spawner.pool.capacity import Capacity
from spawner.pool.effects import DoOutOfBandWork, DumpStacks
from spawner.pool.group import Group
from spawner.pool.process import Process
from spawner.pool.states import GroupState

WAIT_SECONDS = 60.0  # after this one that is alone does its work when it is idle, and requests wait that long
WORK_SECONDS = 600.0  # from the order on; then another worker takes the place of the one that has not done it


def requested(group: Group, capacity: Capacity, process: Process, now: float) -> None:
    """A worker's app asks for it."""
    process.work_requested_at = process.work_requested_at or now
    give_turn(group, capacity, now)


def done(group: Group, capacity: Capacity, process: Process, now: float) -> None:
    """A worker has done it."""
    process.work_requested_at, process.work_granted_at, process.at_work = 0.0, 0.0, False
    give_turn(group, capacity, now)


def give_turn(group: Group, capacity: Capacity, now: float) -> None:
    """Let the worker that has asked first do its work, if it is time."""
    serving = group.serving_workers()
    asking = [process for process in serving if process.work_requested_at and not process.needs_replacement]
    if not asking or any(process.working for process in serving):
        return
    process = min(asking, key=lambda one: one.work_requested_at)
    stays_alone = capacity.cap(group) == 1 or now >= process.work_requested_at + WAIT_SECONDS
    if len(serving) > 1 or (stays_alone and not capacity.is_busy(process)):
        process.work_granted_at = now
        group.emit(DoOutOfBandWork(process.process_id))
    elif group.state is GroupState.SERVING:
        group.sizing.raise_to(min(2, capacity.cap(group)))


def ends_at(process: Process) -> Optional[float]:
    """When a worker that is to do its work, or at it, is not waited for any longer."""
    return process.work_granted_at + WORK_SECONDS if process.work_granted_at else None


def give_up(group: Group, capacity: Capacity, process: Process, now: float) -> None:
    """Work that hangs, or waits for a request that does, keeps neither the app's turn nor a place in the pool.

    The worker is told to go. It may finish within LINGER_SECONDS.
    """
    what = "its out-of-band work has not been done within %d s" % WORK_SECONDS
    group.log("warn", 3539, "%s: %s: another worker takes its place" % (process.title, what))
    group.emit(DumpStacks(process.process_id, what))
    group.retire(process, now)
    give_turn(group, capacity, now)
