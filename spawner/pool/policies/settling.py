"""Brings a group in line with what it is to have: its state and its restart with its processes, its workers with its
target.

`settle` retires what is too many and enters the group in the line of those that want a worker; `next_start` says what
is to be started when its turn has come. Both do nothing when there is nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from spawner.pool.capacity import Capacity, Victim, dispensability
from spawner.pool.group import Group
from spawner.pool.process import Process
from spawner.pool.states import GroupEvent, GroupState, ProcessKind, ProcessState

_AT_REST = (GroupState.COLD, GroupState.FAILED, GroupState.CLOSING)


@dataclass(frozen=True)
class Start:
    """A process that is to be started.

    :ivar slot: None for a preloader.
    :ivar preloader: that forks it; None: it executes an interpreter of its own.
    :ivar victims: workers that have to go for it.
    """

    kind: ProcessKind
    generation: int
    slot: Optional[int] = None
    preloader: Optional[Process] = None
    victims: tuple[Victim, ...] = ()


def settle(group: Group, capacity: Capacity, now: float) -> None:
    """Bring the state in line with what processes there are; if a worker is wanted, the group takes its turn."""
    group.unpin_if_lost()
    if group.must_not_start:
        _end_half_done_restart(group, now)
    _note_losses(group)
    _finish_restart(group, now)
    if group.state not in _AT_REST and not capacity.closed:
        _retire_surplus(group, capacity, now)
    if wants_worker(group, capacity, now):
        capacity.enter(group.key)
    else:
        capacity.leave(group.key)
    if not group.has_ended:
        group.watch_queue()


def _end_half_done_restart(group: Group, now: float) -> None:
    """A restart that cannot go on, for nothing may be started, ends with the newest release that serves."""
    serving = [process.generation for process in group.serving_workers()]
    if serving and group.older_workers():
        group.release.keep(max(serving))
        group.retire_older(now)


def _note_losses(group: Group) -> None:
    """Move the state on where the last worker, or the last start, has gone."""
    if group.state in (GroupState.SERVING, GroupState.RESTARTING) and not group.serving_workers():
        if group.release.next is None or not group.can_fork(group.release.current):  # else the old release has workers
            _lost_all_workers(group)
    if group.state is GroupState.STARTING and not group.sizing.target:
        group.on(GroupEvent.EMPTIED)
    if group.state is GroupState.SERVING and group.older_workers():
        group.on(GroupEvent.RESTART)


def _lost_all_workers(group: Group) -> None:
    """No worker serves any more. If some are starting, or wanted, it is a start."""
    group.release.drop_current()
    restarts_now = group.state is GroupState.RESTARTING and not group.always_restart
    wanted = group.sizing.target > 0 or bool(group.active_workers()) or restarts_now
    group.on(GroupEvent.EMPTIED)
    if not wanted:
        group.sizing.clear()
        return
    if group.state is GroupState.COLD:
        group.on(GroupEvent.SPAWN)
    group.sizing.raise_to(1)


def _finish_restart(group: Group, now: float) -> None:
    """A restart is complete when nothing older is left, and what there is, if anything is to be, serves."""
    release = group.release
    if release.next is not None or group.older_workers():
        return
    if group.state is GroupState.RESTARTING:
        group.on(GroupEvent.RESTARTED)
    if release.restart is not None and group.state in (GroupState.SERVING, GroupState.COLD):
        if group.state is GroupState.SERVING:
            values = (group.key, release.current, now - release.restart.began)
            group.log("notice", 3510, "restart completed: %s: generation %d, %.2f s" % values)
        release.complete()


def _retire_surplus(group: Group, capacity: Capacity, now: float) -> None:
    """While more serve than are wanted, some go: outdated ones, then (with no restart under way) the longest idle."""
    group.sizing.limit(capacity.cap(group))
    serving = group.serving_workers()
    going = serving if group.state is GroupState.SERVING else group.outdated_workers()
    for process in sorted(going, key=dispensability)[: group.sizing.surplus(len(serving))]:
        group.retire(process, now)
    active = group.active_workers()
    starting = [process for process in active if process.starting]
    for process in starting[: group.sizing.surplus_of_starts(len(active), group.one_more)]:
        group.terminate(process, now, "fewer processes are allowed")
    if capacity.has_too_many and not starting:
        _retire_replaced(group, now)


def _retire_replaced(group: Group, now: float) -> None:
    """In a full pool, a group may have fewer workers than it wants: none is surplus when a replacement has come up.

    The place above the pool's size was for the replacement, so the replaced worker goes.
    """
    serving = group.serving_workers()
    worn = [process for process in serving if process.needs_replacement]
    if group.replacing and len(worn) < len(serving):
        group.retire(min(worn, key=dispensability), now)


def wants_worker(group: Group, capacity: Capacity, now: float) -> bool:
    """Whether one more worker is to come up now, as far as the group itself is concerned."""
    if group.state in _AT_REST or capacity.closed or now < group.backoff.start_after or group.must_not_start:
        return False
    fresh = group.up_to_date_workers()
    starting = any(process.starting for process in fresh)
    target = group.sizing.target
    if len(fresh) >= target:  # a replacement comes before the old one goes, one at a time
        return group.replacing and not starting
    if group.state is not GroupState.RESTARTING:
        return True
    # One at a time, and at most one more than the target, retired ones counted until the restart has drained; but an
    # app without any does not wait for those to go.
    active = group.active_workers()
    draining = sum(one.retiring for one in group.workers()) if active and now < group.release.drain_until else 0
    return len(active) + draining <= target and not starting


def next_start(group: Group, capacity: Capacity, now: float) -> Optional[Start]:
    """What a group whose turn it is starts next. None if there is no place yet, or its preloader has to come up before.

    A preloader is not yet a worker: a group that starts one keeps its turn until it has loaded.
    """
    generation = _generation_to_start(group)
    if generation is None:
        return None
    if group.always_restart or not group.uses_preloader:
        return _start_of_worker(group, capacity, generation, None, now) if capacity.may_import() else None
    preloader = group.preloader(generation)
    if preloader is None:
        return Start(ProcessKind.PRELOADER, generation) if capacity.may_import() else None
    if preloader.state is not ProcessState.READY:
        return None
    return _start_of_worker(group, capacity, generation, preloader, now)


def _start_of_worker(
    group: Group, capacity: Capacity, generation: int, preloader: Optional[Process], now: float
) -> Optional[Start]:
    slot = group.free_slot()
    victims = capacity.place_for(group, now) if slot is not None else None
    if victims is None:
        return None
    kind = ProcessKind.DIRECT if preloader is None else ProcessKind.WORKER
    return Start(kind, generation, slot, preloader, tuple(victims))


def _generation_to_start(group: Group) -> Optional[int]:
    """The newest; but while it is still loading, a lost worker is replaced from the old preloader."""
    release = group.release
    if release.next is None or not group.uses_preloader:
        return release.wanted
    newer = group.preloader(release.next)
    if newer is None or newer.state is ProcessState.READY or len(group.active_workers()) >= group.sizing.target:
        return release.next
    return release.current if group.can_fork(release.current) else None
