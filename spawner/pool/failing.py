"""What follows when a process of an app does not start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spawner.pool import restarting
from spawner.pool.effects import FailWaiting, Kill, RunHook
from spawner.pool.group import BACK_OFF
from spawner.pool.release import PinnedRelease
from spawner.pool.states import GroupEvent, GroupState, ProcessKind
from spawner.start_failure import StartFailure

if TYPE_CHECKING:
    from spawner.pool.group import Group
    from spawner.pool.pool import Pool
    from spawner.pool.process import Process

STILLBORN_SECONDS = 1.0  # a worker that ends by itself so soon, and was in no request, is no worker
MOST_STILLBORN = 3  # in a row, until the next one has to wait


def worker_lost(pool: Pool, group: Group, process: Process, now: float) -> None:
    """A worker has ended by itself: the next one comes at once, but not for ever as fast as the machine can."""
    served = process.requests or process.running or pool.is_busy(process)
    if served or process.single_request or now >= process.came_up + STILLBORN_SECONDS:
        group.stillborn = 0
        return
    group.stillborn += 1
    late = group.stillborn - MOST_STILLBORN
    if late >= 0:
        group.spawn_after = max(group.spawn_after, now + BACK_OFF[min(late, 2)])


def start_failed(pool: Pool, group: Group, process: Process, failure: StartFailure, now: float) -> None:
    """A process did not come up: who waits is told, or the old generation goes on."""
    if process.generation != group.spawn_generation:
        group.spawn_after = max(group.spawn_after, now + BACK_OFF[0])  # the old preloader does not fork: not at once
        return
    group.note_failure(failure, process.generation, now)
    if group.always_restart:  # a request asks for each start, and whoever edits the code waits for none
        group.retry_at = now
    pool.log("error", group.key, 3513, _text(group, process, failure))
    pool.emit(RunHook("spawn_failed", group.key, process.pid, failure.error_id or "", failure.summary))
    if group.state is GroupState.RESTARTING and group.next_generation is not None:
        _release_failed(pool, group, failure, now)
    elif group.state is GroupState.STARTING and not any(p.starting and p.is_worker for p in group.processes.values()):
        _group_failed(pool, group, failure, now)
    else:
        group.spawn_after = group.retry_at
        restarting.tell_of_retry(pool, group, failure)
        _drop_deaf_preloader(pool, group, process, now)
        _end_half_restart(pool, group, failure, now)
    restarting.catch_up(pool, group, now)


def _text(group: Group, process: Process, failure: StartFailure) -> str:
    text = "cannot start %s: step %s: %s (error id %s)" % (group.key, failure.step, failure.summary, failure.error_id)
    if group.state is GroupState.RESTARTING and group.next_generation is not None and _resists(group):
        text += "; generation %d goes on serving" % group.generation
    facts = ["%s: %s" % (name, value.replace("\n", ", ")) for name, value in failure.facts]
    return "\n".join([text, *facts, *([failure.detail.rstrip()] if failure.detail else [])])


def _resists(group: Group) -> bool:
    return group.registration.options.resist_deployment_errors


def _release_failed(pool: Pool, group: Group, failure: StartFailure, now: float) -> None:
    """The newer release did not come up while the older one serves."""
    assert group.next_generation is not None
    failed, group.next_generation = group.next_generation, None
    if _resists(group):
        for other in list(group.processes.values()):
            if other.generation == failed:
                pool.retire(other, now)
        newest = max(failed, group.pinned.generation if group.pinned is not None else 0)
        group.pinned = PinnedRelease(newest, now, failure)
        if not group.older_workers():
            group.on(GroupEvent.START_FAILED)
        restarting.fail(pool, group, failure)
        return
    group.generation = failed
    for other in list(group.processes.values()):
        pool.retire(other, now)
    group.on(GroupEvent.EMPTIED)
    _group_failed(pool, group, failure, now)


def _end_half_restart(pool: Pool, group: Group, failure: StartFailure, now: float) -> None:
    """A restart has brought a worker up, and now starts fail over and over: it does not go on for ever."""
    if group.state is not GroupState.RESTARTING or group.failures < restarting.MOST_FAILURES:
        return
    older = [other.generation for other in group.outdated_workers()]
    if older and not any(fresh.serving for fresh in group.up_to_date_workers()):  # what had come up is lost
        group.generation, group.next_generation = max(older), group.generation
        _release_failed(pool, group, failure, now)
    else:
        restarting.give_up(pool, group, failure, now)


def _group_failed(pool: Pool, group: Group, failure: StartFailure, now: float) -> None:
    """Nothing serves, and nothing comes: who waits is told."""
    group.target = 0
    group.on(GroupEvent.START_FAILED)
    pool.emit(FailWaiting(group.key, failure))
    for process in list(group.processes.values()):
        if process.kind is ProcessKind.PRELOADER:
            pool.retire(process, now)
    restarting.fail(pool, group, failure)


def _drop_deaf_preloader(pool: Pool, group: Group, worker: Process, now: float) -> None:
    """A preloader that has not forked a worker in all the time that it had forks none: another one may."""
    if worker.pid or now < worker.started + group.registration.options.start_timeout:
        return
    preloader = group.preloader(worker.generation)
    if preloader is not None and worker.kind is ProcessKind.WORKER:
        pool.retire(preloader, now)
        preloader.killed = True
        pool.emit(Kill(preloader.process_id, "it does not fork"))
