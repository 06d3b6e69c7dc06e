"""How a group gets its workers: growth, restarts and failures, as steps of the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from spawner.effects import FailWaiting, ForkWorker, Kill, StartProcess, Terminate
from spawner.errors import StartFailure
from spawner.group import Group
from spawner.process import Process
from spawner.states import GroupEvent, GroupState, ProcessKind, ProcessState

if TYPE_CHECKING:
    from spawner.pool import Pool

START_OVERS = 3  # restarts in a row that may drop a generation which has not come up yet
TERMINATION_SECONDS = 3.0  # a process that is loading outdated code is killed this long after it was told to end
DRAIN_SECONDS = 2.0  # a restart waits this long in all for retired workers before it stops counting them
FULL_SAMPLES = 2  # samples in a row that show all workers busy and a request waiting: then the group grows
_IDLE_STATES = (GroupState.COLD, GroupState.FAILED, GroupState.CLOSING)


def wake(pool: Pool, group: Group, now: float) -> None:
    """A group without workers has a request: bring up as many as it is to keep."""
    cap = _cap(pool, group)
    group.target = min(cap, max(1, group.registration.options.min_instances))
    group.on(GroupEvent.SPAWN)
    pool.settle(group, now)


def grow(pool: Pool, group: Group, waiting: bool, now: float) -> None:
    """One more worker if all are busy while a request waits."""
    active = group.active()
    full = waiting and bool(active) and all(process.serving and process.full for process in active)
    group.full_samples = group.full_samples + 1 if full else 0
    if group.full_samples >= FULL_SAMPLES and len(active) < _cap(pool, group) and now >= group.spawn_after:
        group.full_samples = 0
        group.target = len(active) + 1
        reconcile(pool, group, now)


def settle(pool: Pool, group: Group, now: float) -> None:
    """Bring the state in line with what processes there are; what needs a spawn is entered for `reconcile`."""
    if group.state in (GroupState.SERVING, GroupState.RESTARTING) and not any(p.serving for p in group.active()):
        if group.next_generation is not None:
            group.generation, group.next_generation = group.next_generation, None
        _emptied(group)
    if group.state is GroupState.SERVING and group.leftovers():
        group.on(GroupEvent.RESTART)
    if group.state is GroupState.RESTARTING and group.next_generation is None and not group.leftovers():
        group.on(GroupEvent.RESTARTED)
        seconds = now - group.restart_began
        text = "restart of %s completed: generation %d, %.2f s" % (group.key, group.generation, seconds)
        pool.say("notice", group.key, 3510, text)
    reconcile(pool, group, now)


def _emptied(group: Group) -> None:
    """No worker serves any more. If some are coming, or wanted, it is a start."""
    wanted = group.target > 0 or bool(group.active()) or group.state is GroupState.RESTARTING
    group.on(GroupEvent.EMPTIED)
    if group.state is GroupState.COLD and wanted:
        group.on(GroupEvent.SPAWN)
    group.target = max(group.target, 1) if wanted else 0


def reconcile(pool: Pool, group: Group, now: float) -> None:
    """Take the steps towards the group's target that are possible now."""
    pool.waiting_for_room.pop(group.key, None)
    if group.state in _IDLE_STATES or pool.ending:
        return
    _retire_surplus(pool, group, now)
    while _wants_worker(group, now):
        if not _spawn(pool, group, now):
            pool.waiting_for_room[group.key] = None
            return


def _wants_worker(group: Group, now: float) -> bool:
    fresh = group.fresh()
    if len(fresh) >= group.target or now < group.spawn_after:
        return False
    if group.state is not GroupState.RESTARTING:
        return True
    # One at a time, and at most one more than the target, retired ones counted until the restart has drained.
    draining = sum(1 for p in group.workers() if p.retiring) if now < group.drain_until else 0
    held = len(group.active()) + draining
    return held <= group.target and not any(process.coming for process in fresh)


def _retire_surplus(pool: Pool, group: Group, now: float) -> None:
    """While more serve than are wanted, some go: outdated ones, then (with no restart under way) the longest idle."""
    group.target = min(group.target, _cap(pool, group))
    serving = [process for process in group.active() if process.serving]
    going = serving if group.state is GroupState.SERVING else group.outdated()
    for process in sorted(going, key=_use)[: max(0, len(serving) - group.target)]:
        pool.retire(process, now)


def _use(process: Process) -> tuple[bool, float]:
    """By this the worker that is missed least comes first."""
    return process.busy, process.idle_since


def _spawn(pool: Pool, group: Group, now: float) -> bool:
    """Start one worker, or what has to come before it. False if there is no room yet."""
    generation = _generation_to_spawn(group)
    if generation is None:
        return False
    preloader = group.preloader(generation) if group.smart else None
    if group.smart and preloader is None:
        return _start(pool, group, ProcessKind.PRELOADER, generation, None, now)
    if preloader is not None and preloader.state is not ProcessState.READY:
        return False
    if not _make_room(pool, group, now):
        return False
    slot = group.free_slot()
    if slot is None:
        return False
    if preloader is None:
        return _start(pool, group, ProcessKind.DIRECT, generation, slot, now)
    worker = pool.new_process(group, ProcessKind.WORKER, generation, slot, now)
    preloader.idle_since = now
    pool.emit(ForkWorker(group.key, worker.process_id, preloader.process_id, generation, slot))
    return True


def _generation_to_spawn(group: Group) -> Optional[int]:
    """The newest; but while it is still loading, a lost worker is replaced from the old preloader."""
    if group.next_generation is None or not group.smart:
        return group.spawn_generation
    newer = group.preloader(group.next_generation)
    if newer is None or newer.state is ProcessState.READY or len(group.active()) >= group.target:
        return group.next_generation
    older = group.preloader(group.generation)
    return group.generation if older is not None and older.state is ProcessState.READY else None


def _start(pool: Pool, group: Group, kind: ProcessKind, generation: int, slot: Optional[int], now: float) -> bool:
    loading = sum(1 for p in pool.processes.values() if p.kind is not ProcessKind.WORKER and p.coming)
    if loading >= pool.parallel_starts:
        return False
    process = pool.new_process(group, kind, generation, slot, now)
    pool.emit(StartProcess(group.key, process.process_id, kind, generation, slot))
    # A preloader is not yet a worker: the group stays entered until it has loaded.
    return kind is ProcessKind.DIRECT


def _cap(pool: Pool, group: Group) -> int:
    return group.cap(pool.server.max_pool_size, pool.server.max_instances_per_app)


def _make_room(pool: Pool, group: Group, now: float) -> bool:
    """Whether the pool takes one more worker; an idle one of another group makes room for a group without any."""
    active = pool.active()
    extra = 1 if group.state is GroupState.RESTARTING else 0
    if active < pool.server.max_pool_size + extra:
        return True
    if group.state is GroupState.RESTARTING and group.outdated():
        # In a full pool a restart replaces a worker without having one more for a moment.
        pool.retire(min(group.outdated(), key=_use), now)
        return True
    if group.active():
        return False
    return _retire_longest_idle(pool, "room for %s" % group.key, now)


def shrink(pool: Pool, now: float) -> None:
    """After a configuration with a smaller pool, idle workers go until it holds."""
    if pool.excess:
        pool.excess = max(0, min(pool.excess, pool.active() - pool.server.max_pool_size))
        while pool.excess and _retire_longest_idle(pool, "room in the smaller pool", now):
            pool.excess -= 1


def _retire_longest_idle(pool: Pool, reason: str, now: float) -> bool:
    """Of any group but those that start or restart. False if every worker is busy."""
    idle = [
        process
        for other in pool.groups.values()
        if other.state is GroupState.SERVING
        for process in other.active()
        if process.serving and not pool.is_busy(process)
    ]
    if not idle:
        return False
    victim = min(idle, key=lambda process: process.idle_since)
    loser = pool.groups[victim.key]
    loser.target = max(0, len(loser.active()) - 1)
    pool.say("info", loser.key, 3511, "idle worker %d of %s makes %s" % (victim.pid, loser.key, reason))
    pool.retire(victim, now)
    pool.settle_alone(loser, now)
    return True


def restart(pool: Pool, group: Group, now: float) -> None:
    """Bring in the code that is there now.

    A generation under way is started over, but not for ever: an app that is touched more often than it takes to load
    would never come up. After START_OVERS in a row what loads may finish, and the restart comes after it.
    """
    unproven = bool(group.unproven())
    if unproven and group.start_overs >= START_OVERS:
        group.restart_again = True
        return
    group.start_overs = group.start_overs + 1 if unproven else 0
    group.restart_again = False
    group.on(GroupEvent.RESTART)
    group.failure, group.failures, group.spawn_after = None, 0, 0.0
    group.last_generation += 1
    group.restart_began = now
    _drop_unproven(pool, group, now)
    if group.state is GroupState.RESTARTING and group.registration.options.rolling_restarts:
        group.next_generation = group.last_generation
        group.drain_until = now + group.registration.options.start_timeout + DRAIN_SECONDS
        pool.say("notice", group.key, 3512, "restarting %s: generation %d" % (group.key, group.next_generation))
        return
    group.generation, group.next_generation = group.last_generation, None
    for process in list(group.processes.values()):
        pool.retire(process, now)


def catch_up(pool: Pool, group: Group, now: float) -> None:
    """Do the restart that waits for the generation under way, now that it has come up or failed."""
    if group.restart_again and not group.unproven():
        restart(pool, group, now)


def _drop_unproven(pool: Pool, group: Group, now: float) -> None:
    """What an unfinished restart, or a first start, has under way is outdated too."""
    for process in list(group.processes.values()):
        if process.coming or (group.next_generation is not None and process.generation == group.next_generation):
            pool.retire(process, now)
            process.kill_at = now + TERMINATION_SECONDS
            pool.emit(Terminate(process.process_id, "a newer restart"))


def promote(pool: Pool, group: Group, now: float) -> None:
    """A worker of the next generation accepts: it is the one that serves, the old preloader is not needed any more."""
    assert group.next_generation is not None
    group.generation, group.next_generation = group.next_generation, None
    group.drain_until = now + DRAIN_SECONDS
    for process in list(group.processes.values()):
        if process.kind is ProcessKind.PRELOADER and process.generation < group.generation:
            pool.retire(process, now)


def handle_failure(pool: Pool, group: Group, process: Process, failure: StartFailure, now: float) -> None:
    """A process did not come up: who waits is told, or the old generation goes on."""
    if process.generation != group.spawn_generation:
        return
    group.note_failure(failure, process.generation, now)
    pool.say("error", group.key, 3513, _failure_text(group, process, failure))
    if group.state is GroupState.RESTARTING and group.next_generation is not None:
        _give_up_restart(pool, group, now)
    elif group.state is GroupState.STARTING and not any(p.coming and p.is_worker for p in group.processes.values()):
        group.target = 0
        group.on(GroupEvent.START_FAILED)
        pool.emit(FailWaiting(group.key, failure))
        _retire_preloaders(pool, group, now)
    else:
        group.spawn_after = group.retry_at
        _drop_deaf_preloader(pool, group, process, now)
    catch_up(pool, group, now)


def _drop_deaf_preloader(pool: Pool, group: Group, worker: Process, now: float) -> None:
    """A preloader that has not forked a worker in all the time that it had forks none: another one may."""
    if worker.pid or now < worker.started + group.registration.options.start_timeout:
        return
    preloader = group.preloader(worker.generation)
    if preloader is not None and worker.kind is ProcessKind.WORKER:
        pool.retire(preloader, now)
        preloader.killed = True
        pool.emit(Kill(preloader.process_id, "it does not fork"))


def _failure_text(group: Group, process: Process, failure: StartFailure) -> str:
    text = "cannot start %s: step %s: %s (error id %s)" % (group.key, failure.step, failure.summary, failure.error_id)
    if group.state is GroupState.RESTARTING and group.next_generation is not None:
        text += "; generation %d goes on serving" % group.generation
    facts = ["%s: %s" % (name, value.replace("\n", ", ")) for name, value in failure.facts]
    return "\n".join([text, *facts, *([failure.detail.rstrip()] if failure.detail else [])])


def _give_up_restart(pool: Pool, group: Group, now: float) -> None:
    for other in list(group.processes.values()):
        if other.generation == group.next_generation:
            pool.retire(other, now)
    group.next_generation = None
    if not group.leftovers():
        group.on(GroupEvent.START_FAILED)


def _retire_preloaders(pool: Pool, group: Group, now: float) -> None:
    for process in list(group.processes.values()):
        if process.kind is ProcessKind.PRELOADER:
            pool.retire(process, now)
