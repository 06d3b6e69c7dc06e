"""Workers that have reached a limit of requests, memory or time, or that somebody takes out: another one comes.

Where a fork is enough the old worker goes at once, and so it does if it takes no requests any more. Where the app has
to be imported it serves on until the new one does (`Group.replacing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Collection, Mapping

from spawner.pool.effects import CancelRequest, DumpStacks, RunHook, Terminate
from spawner.pool.group import Group
from spawner.pool.process import OverdueRequest, Process
from spawner.pool.states import ProcessKind
from spawner.start_failure import StartFailure

MEGABYTE = 1_048_576
OVERDUE_SECONDS = 5.0  # a request or worker that was told to end because of PassengerMaxRequestTime has this long
CANCELLED_SECONDS = 1.0  # a worker's cancelled requests run the hook, and are logged, at most once in this time


@dataclass(frozen=True)
class FailedStart:
    """A start that the pool gives up; the process is being killed."""

    process: Process
    failure: StartFailure


def max_requests_reached(group: Group, process: Process, now: float) -> None:
    """A worker has served PassengerMaxRequests."""
    process.max_requests_reached = True
    replace(group, process, now)


def replace(group: Group, process: Process, now: float) -> None:
    """Let a worker that needs a replacement go, if there is no reason for it to stay."""
    goes = process.single_request or group.always_restart or _has_stopped(process) or _can_fork(group)
    if process.serving and goes:
        group.retire(process, now)


def _has_stopped(process: Process) -> bool:
    """A forked worker stops by itself after its last request (`stop_at_max_requests`, docs/protocol.md, section 5)."""
    return process.max_requests_reached and process.kind is ProcessKind.WORKER


def _can_fork(group: Group) -> bool:
    return group.can_fork(group.release.current) or group.can_fork(group.release.wanted)


def note_memory(group: Group, sizes: Mapping[int, int], now: float) -> list[FailedStart]:
    """Compare what the workers have with PassengerMemoryLimit and PassengerHardMemoryLimit.

    :param sizes: bytes, by process id.
    :returns: starts that have more than the hard limit.
    """
    options = group.registration.options
    failed = []
    for process in list(group.workers()):
        process.memory = sizes.get(process.process_id, process.memory)
        if process.process_id not in sizes or process.killed:
            continue
        if 0 < options.hard_memory_limit * MEGABYTE < process.memory:
            failed += _kill_large(group, process)
        elif 0 < options.memory_limit * MEGABYTE < process.memory and process.serving and not process.too_large:
            _replace_large(group, process, now)
    return failed


def _megabytes(process: Process) -> str:
    return "%.0f MB" % (process.memory / MEGABYTE)


def _kill_large(group: Group, process: Process) -> list[FailedStart]:
    limit = group.registration.options.hard_memory_limit
    text = "it has %s of memory, more than PassengerHardMemoryLimit %d" % (_megabytes(process), limit)
    group.log("warn", 3533, "process killed for its memory: %s: %s" % (process.title, text))
    group.kill(process, "")
    return [FailedStart(process, StartFailure(process.start_step, text))] if process.starting else []


def _replace_large(group: Group, process: Process, now: float) -> None:
    """One that has served nothing yet is as large as the app is: another one would be no smaller."""
    limit = group.registration.options.memory_limit
    if not process.requests and not process.running:
        text = "PassengerMemoryLimit is too small for the app: %s has %s before its first request, more than %d MB"
        group.log_once("warn", 3534, text % (process.title, _megabytes(process), limit))
        return
    process.too_large = True
    text = "worker replaced for its memory: %s has %s of memory, more than PassengerMemoryLimit %d"
    group.log("notice", 3535, text % (process.title, _megabytes(process), limit))
    replace(group, process, now)


def note_overdue(
    group: Group, process: Process, overdue: Collection[OverdueRequest], can_cancel: bool, now: float
) -> None:
    """Requests take longer than they may. A worker that can is told to end them; every other one ends itself.

    :param overdue: those of the worker that have passed their deadline.
    :param can_cancel: whether it can end one of its requests.
    """
    process.cancelled = {request: since for request, since in process.cancelled.items() if request in overdue}
    if process.overdue or not overdue:
        return
    ignored = any(now >= since + OVERDUE_SECONDS for since in process.cancelled.values())
    if ignored or not can_cancel or any(request.cell is None for request in overdue):
        _end_overdue(group, process, now)
        return
    for request in overdue:
        if request not in process.cancelled:
            process.cancelled[request] = now
            group.emit(CancelRequest(process.process_id, request))
            _tell_cancelled(group, process, now)


def _tell_cancelled(group: Group, process: Process, now: float) -> None:
    """Seldom: the worker itself has written that there are such requests."""
    if now >= process.cancelled_hook_after:
        process.cancelled_hook_after = now + CANCELLED_SECONDS
        text = "request takes longer than PassengerMaxRequestTime, it is cancelled: %s" % process.title
        group.log("warn", 3541, text)
        group.emit(RunHook("max_request_time_reached", group.key, process.pid, "", text))


def _end_overdue(group: Group, process: Process, now: float) -> None:
    """The worker shows where it is, and ends."""
    process.overdue = True
    text = "request takes longer than PassengerMaxRequestTime, its process is ended: %s" % process.title
    group.log("warn", 3536, text)
    group.emit(DumpStacks(process.process_id))
    group.emit(RunHook("max_request_time_reached", group.key, process.pid, "", text))
    process.kill_at = now + OVERDUE_SECONDS
    group.retire(process, now, process.kill_at)
    group.emit(Terminate(process.process_id, "its request takes longer than PassengerMaxRequestTime"))


def detach(group: Group, process: Process, now: float) -> None:
    """Somebody wants a process to finish what it has and go."""
    if process.retiring:
        return
    group.log("notice", 3537, "process detached: %s" % process.title)
    if process.starting:
        group.terminate(process, now, "it is detached")
    group.retire(process, now)
