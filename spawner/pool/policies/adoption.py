"""How the pool goes on with what an earlier spawner left: from the processes to the group's state."""

from __future__ import annotations

from spawner.pool.group import Group
from spawner.pool.policies import limits
from spawner.pool.states import GroupState, ProcessKind, ProcessState


def resume(group: Group, now: float) -> None:
    """Derive state, generations and target from the adopted processes.

    The oldest generation with a serving worker serves; one above it that has not proved itself yet is the next, unless
    it has failed already.
    """
    for process in group.workers():
        process.attached_hook_ran = process.serving
        if process.overdue:  # the spawner before has told it to end, and was to kill it
            process.kill_at = now + limits.OVERDUE_SECONDS
    _resume_target(group)
    found = [process.generation for process in group.processes.values()]
    serving = [process.generation for process in group.serving_workers()]
    if serving:
        group.release.resume_serving(found, serving, tries_next=not group.always_restart)
        if group.release.next is not None or group.older_workers():
            group.state = GroupState.RESTARTING
            group.release.resume_restart(now, group.sizing.target)
        else:
            group.state = GroupState.SERVING
    else:
        ready = [one.generation for one in group.processes.values() if one.state is ProcessState.READY]
        group.release.resume_idle(found, ready)
        group.state = GroupState.STARTING if group.sizing.target else GroupState.COLD
    for process in list(group.workers()):
        if process.needs_replacement:
            limits.replace(group, process, now)


def _resume_target(group: Group) -> None:
    active, serving = group.active_workers(), group.serving_workers()
    if group.always_restart:
        group.sizing.resume(len(active), 0)
    elif active or _preloader_loads(group):
        # A restart under way has one more than the target at times; growth brings back what was not too many.
        one_more = len({process.generation for process in serving}) > 1
        group.sizing.resume(len(serving) - one_more, max(1, group.registration.options.min_instances))


def _preloader_loads(group: Group) -> bool:
    return any(one.kind is ProcessKind.PRELOADER and one.starting for one in group.processes.values())
