"""How the pool goes on with what an earlier spawner left: from the processes to the group's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spawner.pool import replacement
from spawner.pool.group import Group
from spawner.pool.release import Restart
from spawner.pool.states import GroupState, ProcessKind, ProcessState

if TYPE_CHECKING:
    from spawner.pool.pool import Pool


def resume(pool: Pool, group: Group, now: float) -> None:
    """Derive state, generations and target from the adopted processes.

    The oldest generation with a serving worker serves; one above it that has not proved itself yet is the next, unless
    it has failed already.
    """
    for process in group.workers():
        process.attached_hook_ran = process.serving
        if process.overdue:  # the spawner before has told it to end, and was to kill it
            process.kill_at = now + replacement.OVERDUE_SECONDS
    newest = max((process.generation for process in group.processes.values()), default=group.generation)
    group.last_generation = max(newest, group.generation)
    group.target = _target(group)
    serving = [process.generation for process in group.serving_workers()]
    group.proven = max(serving, default=0)
    if not serving:
        _resume_idle(group)
        group.state = GroupState.STARTING if group.target else GroupState.COLD
    else:
        _resume_serving(group, now)
    for process in list(group.workers()):
        if process.needs_replacement:
            replacement.replace(pool, group, process, now)
    pool.settle(group, now)


def _resume_idle(group: Group) -> None:
    """Without a worker the newest code is next, unless it is resisted and there is a preloader of the older."""
    ready = [p.generation for p in group.processes.values() if p.state is ProcessState.READY]
    older = [generation for generation in ready if group.pinned and generation < group.pinned.generation]
    group.generation = max(older, default=group.last_generation)
    if not older:
        group.pinned = None


def _resume_serving(group: Group, now: float) -> None:
    group.generation = group.proven
    if group.pinned is not None and group.generation >= group.pinned.generation:
        group.pinned = None
    tried = group.generation if group.pinned is None else group.pinned.generation
    rest = group.last_generation > tried
    group.next_generation = group.last_generation if rest and not group.always_restart else None
    restarts = group.next_generation is not None or bool(group.older_workers())
    group.state = GroupState.RESTARTING if restarts else GroupState.SERVING
    if restarts and (group.next_generation is not None or group.pinned is None):
        group.restart = Restart(group.spawn_generation, now, group.target)


def _target(group: Group) -> int:
    active, serving = group.active_workers(), group.serving_workers()
    if group.always_restart:
        return len(active)
    if not active and not _preloader_loads(group):
        return 0
    minimum = max(1, group.registration.options.min_instances)
    # A restart under way has one more than the target at times; growth brings back what was not too many.
    one_more = len({process.generation for process in serving}) > 1
    return max(len(serving) - one_more, minimum)


def _preloader_loads(group: Group) -> bool:
    return any(p.kind is ProcessKind.PRELOADER and p.starting for p in group.processes.values())
