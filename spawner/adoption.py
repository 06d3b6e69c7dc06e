"""How the pool goes on with what an earlier spawner left: from the processes to the group's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spawner.group import Group
from spawner.states import GroupState, ProcessKind

if TYPE_CHECKING:
    from spawner.pool import Pool


def resume(pool: Pool, group: Group, now: float) -> None:
    """Derive state, generations and target from the adopted processes.

    The oldest generation with a serving worker serves; one above it that has not proved itself yet is the next.
    """
    active = group.active()
    serving = [process.generation for process in active if process.serving]
    newest = max((process.generation for process in group.processes.values()), default=group.generation)
    group.last_generation = max(newest, group.generation)
    minimum = max(1, group.registration.options.min_instances)
    group.target = max(len(serving), minimum) if active or _preloader_loads(group) else 0
    if len(set(serving)) > 1:
        # A restart under way has one more than the target at times; growth brings back what was not too many.
        group.target = max(len(serving) - 1, minimum)
    if not serving:
        group.generation = group.last_generation
        group.state = GroupState.STARTING if group.target else GroupState.COLD
    else:
        group.generation = max(serving)
        rest = group.last_generation > group.generation
        group.next_generation = group.last_generation if rest else None
        group.state = GroupState.RESTARTING if rest or group.leftovers() else GroupState.SERVING
        group.restart_began = now
    pool.settle(group, now)


def _preloader_loads(group: Group) -> bool:
    return any(p.kind is ProcessKind.PRELOADER and p.coming for p in group.processes.values())
