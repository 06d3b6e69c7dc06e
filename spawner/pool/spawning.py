"""How a group gets its workers: what it wants, and the steps towards it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from spawner.pool import resistance, restarting, room
from spawner.pool.effects import ForkWorker, StartProcess
from spawner.pool.group import Group
from spawner.pool.states import GroupEvent, GroupState, ProcessKind, ProcessState

if TYPE_CHECKING:
    from spawner.pool.pool import Pool

_IDLE_STATES = (GroupState.COLD, GroupState.FAILED, GroupState.CLOSING)


def wake(pool: Pool, group: Group, now: float) -> None:
    """A group without workers has a request: bring up as many as it is to keep."""
    resistance.give_way(pool, group)
    group.target = first_size(pool, group)
    group.on(GroupEvent.SPAWN)
    pool.settle(group, now)


def first_size(pool: Pool, group: Group) -> int:
    """How many workers a group begins with."""
    minimum = 1 if group.always_restart else group.registration.options.min_instances
    return min(room.cap(pool, group), max(1, minimum))


def settle(pool: Pool, group: Group, now: float) -> None:
    """Bring the state in line with what processes there are; if something is wanted, the group takes its turn."""
    resistance.give_way(pool, group)
    if resistance.holds_back(group):
        restarting.keep_one_release(pool, group, now)
    if group.state in (GroupState.SERVING, GroupState.RESTARTING) and not group.serving_workers():
        if group.next_generation is None or not resistance.has_source(group):  # else workers are forked from the old
            _emptied(group)
    if group.state is GroupState.STARTING and not group.target:
        group.on(GroupEvent.EMPTIED)
    if group.state is GroupState.SERVING and group.older_workers():
        group.on(GroupEvent.RESTART)
    restarting.finish(pool, group, now)
    ask(pool, group, now)


def _emptied(group: Group) -> None:
    """No worker serves any more. If some are starting, or wanted, it is a start."""
    if group.next_generation is not None:
        group.generation, group.next_generation, group.pinned = group.next_generation, None, None
    restarts = group.state is GroupState.RESTARTING and not group.always_restart
    wanted = group.target > 0 or bool(group.active_workers()) or restarts
    group.on(GroupEvent.EMPTIED)
    if group.state is GroupState.COLD and wanted:
        group.on(GroupEvent.SPAWN)
    group.target = max(group.target, 1) if wanted else 0


def ask(pool: Pool, group: Group, now: float) -> None:
    """Enter a group among those that want a worker, at the end if it is not there yet, or take it out."""
    if group.state not in _IDLE_STATES and not pool.ending:
        _retire_surplus(pool, group, now)
    if wants_worker(pool, group, now):
        pool.waiting_for_room.setdefault(group.key)
    else:
        pool.waiting_for_room.pop(group.key, None)
        group.served()


def take_turn(pool: Pool, group: Group, now: float) -> bool:
    """Let a group that waits take one step. False if there is none that it can take now."""
    if not wants_worker(pool, group, now):
        pool.waiting_for_room.pop(group.key, None)
        return False
    if not _spawn(pool, group, now):
        return False
    # The next one comes when all others who wait have had their turn.
    pool.waiting_for_room.pop(group.key, None)
    ask(pool, group, now)
    return True


def wants_worker(pool: Pool, group: Group, now: float) -> bool:
    """Whether one more worker is to come up now, as far as the group itself is concerned."""
    if group.state in _IDLE_STATES or pool.ending or now < group.spawn_after or resistance.holds_back(group):
        return False
    fresh = group.up_to_date_workers()
    starting = any(process.starting for process in fresh)
    if len(fresh) >= group.target:  # a replacement comes before the old one goes, one at a time
        return group.replacing and not starting
    if group.state is not GroupState.RESTARTING:
        return True
    # One at a time, and at most one more than the target, retired ones counted until the restart has drained; but an
    # app without any does not wait for those to go.
    active = group.active_workers()
    draining = sum(1 for p in group.workers() if p.retiring) if active and now < group.drain_until else 0
    return len(active) + draining <= group.target and not starting


def _retire_surplus(pool: Pool, group: Group, now: float) -> None:
    """While more serve than are wanted, some go: outdated ones, then (with no restart under way) the longest idle."""
    group.target = min(group.target, room.cap(pool, group))
    serving = group.serving_workers()
    going = serving if group.state is GroupState.SERVING else group.outdated_workers()
    surplus = max(0, len(serving) - group.target)
    for process in sorted(going, key=room.use)[:surplus]:
        pool.retire(process, now)
    starting = [process for process in group.active_workers() if process.starting]
    too_many = len(group.active_workers()) - group.target - group.one_more
    for process in starting[: max(0, too_many)]:
        restarting.terminate(pool, process, now, "fewer processes are allowed")


def generation_to_spawn(group: Group) -> Optional[int]:
    """The newest; but while it is still loading, a lost worker is replaced from the old preloader."""
    if group.next_generation is None or not group.uses_preloader:
        return group.spawn_generation
    newer = group.preloader(group.next_generation)
    if newer is None or newer.state is ProcessState.READY or len(group.active_workers()) >= group.target:
        return group.next_generation
    return group.generation if resistance.has_source(group) else None


def _spawn(pool: Pool, group: Group, now: float) -> bool:
    """Start one worker. False if there is no room yet, or its preloader has to come up before."""
    generation = generation_to_spawn(group)
    if generation is None:
        return False
    if group.always_restart or not group.uses_preloader:
        return _start_direct(pool, group, generation, now)
    preloader = group.preloader(generation)
    if preloader is None:
        _start_preloader(pool, group, generation, now)
        loads = group.preloader(generation) is not None
        return loads and generation_to_spawn(group) not in (None, generation) and _spawn(pool, group, now)
    if preloader.state is not ProcessState.READY or not room.make(pool, group, now):
        return False
    slot = group.free_slot()
    if slot is None:
        return False
    worker = pool.new_process(group, ProcessKind.WORKER, generation, slot, now)
    preloader.idle_since = now
    pool.emit(ForkWorker(group.key, worker.process_id, preloader.process_id, generation, slot))
    return True


def _start_preloader(pool: Pool, group: Group, generation: int, now: float) -> None:
    """It is not yet a worker: the group keeps its turn until it has loaded."""
    if room.may_start(pool):
        process = pool.new_process(group, ProcessKind.PRELOADER, generation, None, now)
        pool.emit(StartProcess(group.key, process.process_id, ProcessKind.PRELOADER, generation, None))


def _start_direct(pool: Pool, group: Group, generation: int, now: float) -> bool:
    if not room.may_start(pool) or not room.make(pool, group, now):
        return False
    slot = group.free_slot()
    if slot is None:
        return False
    process = pool.new_process(group, ProcessKind.DIRECT, generation, slot, now)
    process.single_request = group.always_restart
    values = (process.process_id, ProcessKind.DIRECT, generation, slot, process.single_request)
    pool.emit(StartProcess(group.key, *values))
    return True
