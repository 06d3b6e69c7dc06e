"""Who may have one more worker: the caps of the pool, whose turn it is, and who gives a place up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

from spawner.pool import restarting
from spawner.pool.states import GroupState

if TYPE_CHECKING:
    from spawner.pool.group import Group
    from spawner.pool.pool import Pool
    from spawner.pool.process import Process

PATIENCE_SECONDS = 5.0  # an app without worker waits this long for an idle one before a busy app gives one up
SLOW_START_SECONDS = 10.0  # a start that takes longer than this does not hold the starts of others up


def cap(pool: Pool, group: Group) -> int:
    """The most workers that a group may have."""
    return group.cap(pool.server.max_pool_size, pool.server.max_instances_per_app)


def may_start(pool: Pool) -> bool:
    """Whether one more interpreter may import an app now. Starts that take long do not count."""
    importing = [process for process in pool.processes.values() if process.imports and process.starting]
    return sum(not process.slow for process in importing) < pool.parallel_starts


def use(process: Process) -> tuple[bool, bool, float]:
    """By this the worker that is missed least comes first."""
    return not process.needs_replacement, process.busy, process.idle_since


def make(pool: Pool, group: Group, now: float) -> bool:
    """Whether the pool takes one more worker; others may have to make room for a group without any."""
    if pool.worker_count() < pool.server.max_pool_size + group.one_more or _swap(pool, group, now):
        group.served()
        return True
    if group.active_workers():
        return False
    if _take_idle(pool, "room for %s" % group.key, now) or _take_from_largest(pool, group, now):
        group.served()
        return True
    if not group.room_due and not group.impatient:
        group.room_due = now + PATIENCE_SECONDS
    return False


def _swap(pool: Pool, group: Group, now: float) -> bool:
    """In a full pool a restart replaces a worker without having one more for a moment.

    Direct spawning takes as long as an import, so it rather waits for those who have one more now.
    """
    outdated = group.outdated_workers()
    if group.state is not GroupState.RESTARTING or not outdated:
        return False
    if not group.uses_preloader and any(other.has_one_more for other in pool.groups.values()):
        return False
    pool.retire(min(outdated, key=use), now)
    return True


def shrink(pool: Pool, now: float) -> None:
    """After a configuration with a smaller pool, idle workers go until it holds."""
    if pool.excess:
        pool.excess = max(0, min(pool.excess, pool.worker_count() - pool.server.max_pool_size))
        while pool.excess and _take_idle(pool, "room in the smaller pool", now):
            pool.excess -= 1


def _take_idle(pool: Pool, reason: str, now: float) -> bool:
    """The worker that has been idle for longest goes. False if every one is busy."""
    idle = list(_idle(pool))
    if not idle:
        return False
    victim = min(idle, key=lambda process: (_is_irreplaceable(pool, process), process.idle_since))
    _give_up(pool, victim, "idle", reason, now)
    return True


def _idle(pool: Pool) -> Iterator[Process]:
    """Of any group but those that start or restart."""
    for group in pool.groups.values():
        if group.state is GroupState.SERVING:
            for process in group.active_workers():
                if process.serving and not process.working and not pool.is_busy(process):
                    yield process


def _is_irreplaceable(pool: Pool, process: Process) -> bool:
    """What an app that resists a deployment error has lost does not come back."""
    return pool.groups[process.key].pinned is not None


def _take_from_largest(pool: Pool, group: Group, now: float) -> bool:
    """After some time without a place, the app with the most workers gives one up though it is in a request.

    It finishes what it has. An app keeps its last one.
    """
    if not group.impatient:
        return False
    large = [other for other in pool.groups.values() if other.settled_size > 1 and any(other.serving_workers())]
    if not large:
        return False
    loser = max(large, key=lambda other: other.settled_size)
    _give_up(pool, min(loser.serving_workers(), key=use), "busy", "room for %s" % group.key, now)
    return True


def _give_up(pool: Pool, victim: Process, how: str, reason: str, now: float) -> None:
    loser = pool.groups[victim.key]
    loser.target = max(0, loser.settled_size - 1)
    pool.log("info", loser.key, 3511, "%s %s makes %s" % (how, victim.title, reason))
    pool.retire(victim, now)
    if not loser.target:  # what was to come in its place would be a start of its own, without room for it
        for process in [process for process in loser.active_workers() if process.starting]:
            restarting.terminate(pool, process, now, "its place is needed")
    pool.settle_alone(loser, now)
