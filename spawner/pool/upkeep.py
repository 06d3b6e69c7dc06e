"""What time brings: start timeouts, idle processes, older_workers. Steps of the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, Optional

from spawner.pool import always_restart, out_of_band_work, room
from spawner.pool.effects import Kill
from spawner.pool.group import Group
from spawner.pool.process import LINGER_SECONDS, Process
from spawner.pool.states import GroupState, ProcessState
from spawner.start_failure import StartFailure

if TYPE_CHECKING:
    from spawner.pool.pool import Pool

FORGET_SECONDS = 60.0  # a group whose virtual host the newest configuration does not have lives at least this long
LONGEST_QUIET = 14 * 86_400.0  # seconds without a request, if it has it: a mount within it may have been taken away

def tick(pool: Pool, now: float) -> None:
    """Act on every deadline that has passed."""
    for group in list(pool.groups.values()):
        for process in list(group.processes.values()):
            due = _process_deadline(pool, group, process)
            if due is not None and due <= now and process.process_id in pool.processes:
                _act(pool, group, process, now)
        if _abandoned_at(pool, group) <= now:
            _say_abandoned(pool, group)
            pool.close_group(group.key, now)
        elif any(due <= now for due in _group_deadlines(group)):
            _pass_deadlines(group, now)
            pool.settle(group, now)


def _pass_deadlines(group: Group, now: float) -> None:
    group.spawn_after = group.spawn_after if group.spawn_after > now else 0.0
    group.drain_until = group.drain_until if group.drain_until > now else 0.0
    if 0 < group.room_due <= now:
        group.room_due, group.impatient = 0.0, True


def next_deadline(pool: Pool) -> Optional[float]:
    """The earliest deadline of any process or group."""
    deadlines = [due for group in pool.groups.values() for due in _all_deadlines(pool, group)]
    return min(deadlines, default=None)


def _all_deadlines(pool: Pool, group: Group) -> Iterator[float]:
    for process in group.processes.values():
        due = _process_deadline(pool, group, process)
        if due is not None:
            yield due
    abandoned = _abandoned_at(pool, group)
    if abandoned != float("inf"):
        yield abandoned
    yield from _group_deadlines(group)


def _process_deadline(pool: Pool, group: Group, process: Process) -> Optional[float]:
    if process.starting:
        return process.started + (room.SLOW_START_SECONDS if _may_slow(group, process) else _start_timeout(group))
    if process.retiring:
        return _linger_deadline(process)
    if process.state is ProcessState.READY:
        return _preloader_deadline(group, process)
    return _idle_deadline(pool, group, process)


def _start_timeout(group: Group) -> int:
    return group.registration.options.start_timeout


def _may_slow(group: Group, process: Process) -> bool:
    return process.imports and not process.slow and _start_timeout(group) > room.SLOW_START_SECONDS


def _linger_deadline(process: Process) -> Optional[float]:
    if process.killed:
        return None
    if process.kill_at:
        return process.kill_at
    return None if process.running else max(process.retired_at, process.idle_since) + LINGER_SECONDS


def _preloader_deadline(group: Group, process: Process) -> Optional[float]:
    """Kept while nothing else has the code that serves, while it waits for room for its first worker, and while workers
    wear out, for each of which it forks another one.
    """
    options = group.registration.options
    limit = options.max_preloader_idle_time
    needed = group.pinned is not None or group.room_due or group.impatient
    if limit <= 0 or needed or (options.max_requests and group.active_workers()):
        return None
    return process.idle_since + limit


def _idle_deadline(pool: Pool, group: Group, process: Process) -> Optional[float]:
    if process.working:
        return out_of_band_work.gives_up_at(process)
    if process.busy:
        return None
    if process.single_request:
        return process.idle_since + always_restart.IDLE_SECONDS
    limit = pool.server.pool_idle_time
    spare = group.state is GroupState.SERVING and group.settled_size > group.registration.options.min_instances
    return process.idle_since + limit if limit > 0 and spare and group.pinned is None else None


def _act(pool: Pool, group: Group, process: Process, now: float) -> None:
    if process.starting and _may_slow(group, process) and now < process.started + _start_timeout(group):
        process.slow = True
    elif process.starting:
        summary = "not up within %d s (PassengerStartTimeout)" % _start_timeout(group)
        process.killed = True
        pool.emit(Kill(process.process_id, summary))
        pool.start_failed(process.process_id, StartFailure(process.start_step, summary), now)
    elif process.retiring:
        process.killed = True
        pool.emit(Kill(process.process_id, "it was told to end %d s ago" % (now - process.retired_at)))
    elif process.working:
        out_of_band_work.give_up(pool, group, process, now)
    elif process.is_worker:
        group.target = group.target if process.single_request else group.settled_size - 1
        pool.retire(process, now)
        pool.settle(group, now)
    else:
        pool.retire(process, now)


def is_configured(pool: Pool, group: Group) -> bool:
    """Whether the present configuration has the group, or at least the virtual host that it was asked for at."""
    return group.registration.epoch >= pool.epoch or group.registration.vhost_id in pool.vhost_ids


def _abandoned_at(pool: Pool, group: Group) -> float:
    if group.registration.epoch >= pool.epoch or group.state is GroupState.CLOSING:
        return float("inf")
    if is_configured(pool, group):
        return group.last_active + max(pool.server.pool_idle_time, LONGEST_QUIET)
    return group.last_active + max(pool.server.pool_idle_time, FORGET_SECONDS)


def _say_abandoned(pool: Pool, group: Group) -> None:
    text = "%s is not configured any more: it ends"
    if is_configured(pool, group):
        text = "no request has come for %s since the configuration was read, long ago: it ends"
    pool.log("notice", group.key, 3520, text % group.key)


def _group_deadlines(group: Group) -> Iterator[float]:
    """When a spawn that was put off is due; only while one is wanted. When a group becomes impatient for room."""
    if group.room_due:
        yield group.room_due
    if group.state not in (GroupState.COLD, GroupState.FAILED, GroupState.CLOSING):
        if len(group.up_to_date_workers()) < group.target or group.replacing:
            if group.spawn_after:
                yield group.spawn_after
            if group.drain_until and any(process.retiring for process in group.workers()):
                yield group.drain_until
