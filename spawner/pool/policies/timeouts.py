"""What time brings to a group: starts that take too long, processes that idle or linger, an app that nobody asks for.

`next_due` says when the group has to be looked at, from its state alone; `pass_time` does what is due then.
"""

from __future__ import annotations

from typing import Iterator, Optional

from spawner.pool.capacity import SLOW_START_SECONDS, Capacity
from spawner.pool.group import WITHOUT_WORKERS, Group
from spawner.pool.policies import work_turns
from spawner.pool.policies.limits import FailedStart
from spawner.pool.process import LINGER_SECONDS, Process
from spawner.pool.states import GroupState, ProcessState
from spawner.start_failure import StartFailure

SINGLE_REQUEST_SECONDS = 2.0  # always_restart.txt: a process whose request does not come, for its client has left, goes
FORGET_SECONDS = 60.0  # a group whose virtual host the newest configuration does not have lives at least this long
LONGEST_QUIET = 14 * 86_400.0  # seconds without a request, if it has it: a mount within it may have been taken away


def next_due(group: Group, capacity: Capacity) -> Optional[float]:
    """The earliest deadline of a group and of its processes."""
    deadlines = [
        *(_process_due(group, capacity, process) for process in group.processes.values()),
        _unasked_until(group, capacity),
        *_group_dues(group, capacity),
    ]
    return min((due for due in deadlines if due is not None), default=None)


def pass_time(group: Group, capacity: Capacity, now: float) -> list[FailedStart]:
    """Act on every deadline of a group that has passed.

    :returns: starts that have taken too long.
    """
    failed = []
    for process in list(group.processes.values()):
        due = _process_due(group, capacity, process)
        if due is not None and due <= now:
            failed += _act(group, capacity, process, now)
    group.backoff.pass_time(now)
    if group.release.drain_until <= now:
        group.release.drained()
    capacity.pass_time(group.key, now)
    ends_at = _unasked_until(group, capacity)
    if ends_at is not None and ends_at <= now:
        _end_abandoned(group, capacity, now)
    return failed


# Processes


def _process_due(group: Group, capacity: Capacity, process: Process) -> Optional[float]:
    if process.starting:
        timeout = group.registration.options.start_timeout
        return process.started + (SLOW_START_SECONDS if _may_become_slow(group, process) else timeout)
    if process.retiring:
        return _linger_due(process)
    if process.state is ProcessState.READY:
        return _idle_preloader_due(group, capacity, process)
    return _idle_worker_due(group, capacity, process)


def _may_become_slow(group: Group, process: Process) -> bool:
    return process.imports_app and not process.slow and group.registration.options.start_timeout > SLOW_START_SECONDS


def _linger_due(process: Process) -> Optional[float]:
    if process.killed:
        return None
    if process.kill_at:
        return process.kill_at
    return None if process.running else max(process.retired_at, process.idle_since) + LINGER_SECONDS


def _idle_preloader_due(group: Group, capacity: Capacity, process: Process) -> Optional[float]:
    """When an idle preloader goes.

    Kept while nothing else has the code that serves, while it waits for a place for its first worker, and while workers
    reach PassengerMaxRequests, for each of which it forks another one.
    """
    options = group.registration.options
    limit = options.max_preloader_idle_time
    needed = group.release.pinned is not None or capacity.lacks_place(group.key)
    if limit <= 0 or needed or (options.max_requests and group.active_workers()):
        return None
    return process.idle_since + limit


def _idle_worker_due(group: Group, capacity: Capacity, process: Process) -> Optional[float]:
    if process.working:
        return work_turns.ends_at(process)
    if process.busy:
        return None
    if process.single_request:
        return process.idle_since + SINGLE_REQUEST_SECONDS
    limit = capacity.configuration.server.pool_idle_time
    spare = group.state is GroupState.SERVING and group.kept > group.registration.options.min_instances
    return process.idle_since + limit if limit > 0 and spare and group.release.pinned is None else None


def _act(group: Group, capacity: Capacity, process: Process, now: float) -> list[FailedStart]:
    timeout = group.registration.options.start_timeout
    if process.starting and _may_become_slow(group, process) and now < process.started + timeout:
        process.slow = True
    elif process.starting:
        summary = "not up within %d s (PassengerStartTimeout)" % timeout
        group.kill(process, summary)
        return [FailedStart(process, StartFailure(process.start_step, summary))]
    elif process.retiring:
        group.kill(process, "it was told to end %d s ago" % (now - process.retired_at))
    elif process.working:
        work_turns.give_up(group, capacity, process, now)
    else:
        if process.is_worker and not process.single_request:
            group.sizing.shrink(len(group.active_workers()))
        group.retire(process, now)
    return []


# The group


def _unasked_until(group: Group, capacity: Capacity) -> Optional[float]:
    """When a group ends that perhaps nobody can ask for any more; None: it does not."""
    configuration = capacity.configuration
    if group.state is GroupState.CLOSING:
        return None
    # No configuration says when a .htaccess is removed.
    if configuration.has_asked(group.registration) and not group.registration.htaccess:
        return None
    longest = LONGEST_QUIET if configuration.has_virtual_host(group.registration) else FORGET_SECONDS
    return group.last_active + max(configuration.server.pool_idle_time, longest)


def _end_abandoned(group: Group, capacity: Capacity, now: float) -> None:
    """Nobody asks for it any more, and perhaps nobody can."""
    quiet = "app ends, no request has come for it in a long time: %s"
    gone = "app ends, it is not configured any more: %s"
    configured = capacity.configuration.has_virtual_host(group.registration)
    group.log("notice", 3520, (quiet if configured else gone) % group.key)
    group.close(now)


def _group_dues(group: Group, capacity: Capacity) -> Iterator[Optional[float]]:
    """When a start that was put off is due; only while one is wanted. When a busy app has to give a place up."""
    yield capacity.wait_ends_at(group.key)
    if group.state not in (*WITHOUT_WORKERS, GroupState.CLOSING):
        if len(group.up_to_date_workers()) < group.sizing.target or group.replacing:
            yield group.backoff.start_after or None
            if any(process.retiring for process in group.workers()):
                yield group.release.drain_until or None
