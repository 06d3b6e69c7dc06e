"""How a restart goes: what it replaces, how it stands, when it is over."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Optional

from spawner.pool.effects import NoteDeployment, Progress, Terminate
from spawner.pool.release import Restart
from spawner.pool.states import GroupEvent, GroupState, ProcessKind
from spawner.start_failure import StartFailure

if TYPE_CHECKING:
    from spawner.pool.group import Group
    from spawner.pool.pool import Pool
    from spawner.pool.process import Process

START_OVERS = 3  # restarts in a row that may drop a generation which has not come up yet
TERMINATION_SECONDS = 3.0  # a process that is loading outdated code is killed this long after it was told to end
MOST_FAILURES = 5  # starts in a row that may fail until a restart does with the workers that it has brought up
DRAIN_SECONDS = 2.0  # a restart waits this long in all for retired workers before it stops counting them


def restart(pool: Pool, group: Group, now: float, method: Optional[str], start_if_cold: bool) -> int:
    """Bring in the code that is there now.

    A generation under way is started over, but not for ever: an app that is touched more often than it takes to load
    would never come up. After START_OVERS in a row what loads may finish, and the restart comes after it.

    :param method: `rolling`, `blocking`, or None: as configured.
    :param start_if_cold: whether an app without a process is started, too.
    :returns: the generation that will have the code.
    """
    unproven = bool(group.unproven())
    if unproven and group.start_overs >= START_OVERS:
        group.again_method = method
        group.again_start_if_cold = start_if_cold or (group.restart_again and group.again_start_if_cold)
        group.restart_again = True
        return group.last_generation + 1
    group.start_overs = group.start_overs + 1 if unproven else 0
    group.restart_again = False
    _tell(pool, group, "superseded")
    group.on(GroupEvent.RESTART)
    group.failure, group.failures, group.spawn_after = None, 0, 0.0
    group.last_generation += 1
    _drop_unproven(pool, group, now)
    group.restart = Restart(group.last_generation, now, group.target)
    _tell(pool, group, "loading")
    if _is_rolling(group, method):
        group.next_generation = group.last_generation
        group.drain_until = now + group.registration.options.start_timeout + DRAIN_SECONDS
        pool.log("notice", group.key, 3512, "restarting %s: generation %d" % (group.key, group.next_generation))
    else:
        group.generation, group.next_generation = group.last_generation, None
        group.pinned = None
        for process in list(group.processes.values()):
            pool.retire(process, now)
    if start_if_cold and group.state is GroupState.COLD:
        pool.wake(group, now)
        _count_first_workers(group)
    return group.last_generation


def _count_first_workers(group: Group) -> None:
    """An app without workers has nothing to replace: what it is to have now is what the restart brings up."""
    if group.restart is not None:
        group.restart.total = max(group.restart.total, group.target)


def _is_rolling(group: Group, method: Optional[str]) -> bool:
    """Only where something serves can one come in after the other."""
    rolling = method == "rolling" or (method is None and group.registration.options.rolling_restarts)
    return rolling and group.state is GroupState.RESTARTING and not group.always_restart


def catch_up(pool: Pool, group: Group, now: float) -> None:
    """Do the restart that waits for the generation under way, now that it has come up or failed."""
    if group.restart_again and not group.unproven():
        restart(pool, group, now, group.again_method, group.again_start_if_cold)


def go_over_to_waiting(pool: Pool, group: Group, now: float) -> None:
    """Whatever starts from now on has the code that the waiting restart is to bring: that one is under way."""
    if group.restart_again:
        group.restart_again = False
        _tell(pool, group, "superseded")
        group.last_generation += 1
        group.restart = Restart(group.last_generation, now, group.target)
        _tell(pool, group, "loading")


def _drop_unproven(pool: Pool, group: Group, now: float) -> None:
    """What an unfinished restart, or a first start, has under way is outdated too."""
    for process in list(group.processes.values()):
        if process.starting or (group.next_generation is not None and process.generation == group.next_generation):
            terminate(pool, process, now, "a newer restart")


def terminate(pool: Pool, process: Process, now: float, reason: str) -> None:
    """End a process that is not up yet: it does not read its line while it loads."""
    pool.retire(process, now)
    process.kill_at = now + TERMINATION_SECONDS
    pool.emit(Terminate(process.process_id, reason))


def worker_came(pool: Pool, group: Group, process: Process, now: float) -> None:
    """A worker accepts: what that means for the generations and for the restart under way."""
    if process.generation > group.proven:
        group.proven = process.generation
        pool.emit(NoteDeployment(group.key, process.generation, None))
    if group.pinned is not None and process.generation >= group.pinned.generation:
        group.pinned = None
    if process.generation == group.next_generation:
        _promote(pool, group, now)
    under_way = group.restart
    if under_way is not None and under_way.generation == process.generation:
        under_way.done = min(under_way.total, sum(1 for fresh in group.up_to_date_workers() if fresh.serving))
        _tell(pool, group, "replacing")


def _promote(pool: Pool, group: Group, now: float) -> None:
    """A worker of the next generation accepts: it is the one that serves, the old preloader is not needed any more."""
    assert group.next_generation is not None
    group.generation, group.next_generation = group.next_generation, None
    group.drain_until = now + DRAIN_SECONDS
    for process in list(group.processes.values()):
        if process.kind is ProcessKind.PRELOADER and process.generation < group.generation:
            pool.retire(process, now)


def finish(pool: Pool, group: Group, now: float) -> None:
    """A restart is complete when nothing older is left, and what there is, if anything is to be, serves."""
    if group.next_generation is not None or group.older_workers():
        return
    if group.state is GroupState.RESTARTING:
        group.on(GroupEvent.RESTARTED)
    if group.restart is not None and group.state in (GroupState.SERVING, GroupState.COLD):
        if group.state is GroupState.SERVING:
            values = (group.key, group.generation, now - group.restart.began)
            pool.log("notice", group.key, 3510, "restart of %s completed: generation %d, %.2f s" % values)
        _tell(pool, group, "completed")
        group.restart = None


def fail(pool: Pool, group: Group, failure: StartFailure) -> None:
    """What a restart has brought does not start, and is not tried again by itself.

    With a newer restart waiting, that one takes over, and nothing has failed yet.
    """
    under_way = group.restart
    if under_way is not None and not group.restart_again:
        pool.emit(NoteDeployment(group.key, under_way.generation, failure))
        _tell(pool, group, "failed", failure)
        group.restart = None


def tell_of_retry(pool: Pool, group: Group, failure: StartFailure) -> None:
    """A worker of the new generation, though not the first, did not start: it is tried again."""
    _tell(pool, group, group.restart.stage if group.restart is not None else "", failure)


def give_up(pool: Pool, group: Group, failure: StartFailure, now: float) -> None:
    """The first worker of the release serves and further ones do not come up: what it has is enough.

    The two releases do not go on beside each other. The missing workers are tried for as those of any app.
    """
    under_way = group.restart
    text = "the restart of %s ends with fewer workers than before: %d starts in a row have failed"
    pool.log("warn", group.key, 3540, text % (group.key, group.failures))
    _retire_older(pool, group, now)
    if under_way is not None:
        summary = "only %d of %d workers came up: %s" % (under_way.done, under_way.total, failure.summary)
        _tell(pool, group, "failed", dataclasses.replace(failure, summary=summary))
        group.restart = None


def keep_one_release(pool: Pool, group: Group, now: float) -> None:
    """A restart that cannot go on, for nothing may be started, ends with the newest release that serves."""
    serving = [process.generation for process in group.serving_workers()]
    if serving and group.older_workers():
        group.generation = max(serving)
        _retire_older(pool, group, now)


def _retire_older(pool: Pool, group: Group, now: float) -> None:
    for process in group.older_workers():
        if process.starting:
            terminate(pool, process, now, "it is of an older release")
        else:
            pool.retire(process, now)


def abandon(pool: Pool, group: Group) -> None:
    """The group ends: nobody is to wait for its restart."""
    _tell(pool, group, "failed", StartFailure("prepare", "%s ends: it is not configured any more" % group.key))
    group.restart = None


def _tell(pool: Pool, group: Group, stage: str, failure: Optional[StartFailure] = None) -> None:
    under_way = group.restart
    if under_way is not None:
        under_way.stage = stage
        values = (under_way.generation, stage, under_way.done, under_way.total)
        pool.emit(Progress(group.key, *values, failure))
