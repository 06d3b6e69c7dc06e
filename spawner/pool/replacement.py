"""Workers that give their place to another: worn, too large, too long in a request, or taken out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping

from spawner.pool import resistance, restarting
from spawner.pool.effects import DumpStacks, Kill, RunHook, Terminate
from spawner.pool.states import ProcessKind, ProcessState
from spawner.start_failure import StartFailure

if TYPE_CHECKING:
    from spawner.pool.group import Group
    from spawner.pool.pool import Pool
    from spawner.pool.process import Process

MEGABYTE = 1_048_576
OVERDUE_SECONDS = 5.0  # a worker that was told to end because of PassengerMaxRequestTime is killed after this


def max_requests_reached(pool: Pool, group: Group, process: Process, now: float) -> None:
    """A worker has served PassengerMaxRequests."""
    process.max_requests_reached = True
    replace(pool, group, process, now)


def replace(pool: Pool, group: Group, process: Process, now: float) -> None:
    """Have another worker come for one that is needs_replacement.

    Where a fork is enough the old one goes at once, and so it does if it takes no requests any more. Where the app has
    to be imported it serves on until the new one does.
    """
    if process.serving and (process.single_request or group.always_restart or _is_deaf(process) or _can_fork(group)):
        pool.retire(process, now)
    pool.settle(group, now)


def _is_deaf(process: Process) -> bool:
    """A forked worker stops by itself when it is worn (`stops_when_worn`, docs/protocol.md, section 5)."""
    return process.max_requests_reached and process.kind is ProcessKind.WORKER


def _can_fork(group: Group) -> bool:
    newer = group.preloader(group.spawn_generation) if group.uses_preloader else None
    return resistance.has_source(group) or (newer is not None and newer.state is ProcessState.READY)


def note_memory(pool: Pool, group: Group, sizes: Mapping[int, int], now: float) -> None:
    """Compare what the workers have with both limits.

    :param sizes: bytes, by process id.
    """
    options = group.registration.options
    for process in list(group.workers()):
        process.memory = sizes.get(process.process_id, process.memory)
        if process.process_id not in sizes or process.killed:
            continue
        if 0 < options.hard_memory_limit * MEGABYTE < process.memory:
            _kill_large(pool, group, process, now)
        elif 0 < options.memory_limit * MEGABYTE < process.memory and process.serving and not process.too_large:
            _replace_large(pool, group, process, now)


def _megabytes(process: Process) -> str:
    return "%.0f MB" % (process.memory / MEGABYTE)


def _kill_large(pool: Pool, group: Group, process: Process, now: float) -> None:
    limit = group.registration.options.hard_memory_limit
    text = "it has %s of memory, more than PassengerHardMemoryLimit %d" % (_megabytes(process), limit)
    pool.log("warn", group.key, 3533, "%s is killed: %s" % (process.title, text))
    pool.emit(Kill(process.process_id, ""))
    process.killed = True
    if process.starting:
        pool.start_failed(process.process_id, StartFailure(process.start_step, text), now)


def _replace_large(pool: Pool, group: Group, process: Process, now: float) -> None:
    """One that has served nothing yet is as large as the app is: another one would be no smaller."""
    limit = group.registration.options.memory_limit
    if not process.requests and not process.running:
        if not group.memory_told:
            group.memory_told = True
            text = "%s has %s of memory before its first request: PassengerMemoryLimit %d is too small for this app"
            pool.log("warn", group.key, 3534, text % (process.title, _megabytes(process), limit))
        return
    process.too_large = True
    text = "%s has %s of memory, more than PassengerMemoryLimit %d: another one comes"
    pool.log("notice", group.key, 3535, text % (process.title, _megabytes(process), limit))
    replace(pool, group, process, now)


def end_overdue(pool: Pool, group: Group, process: Process, now: float) -> None:
    """A request takes longer than it may: its worker shows where it is, and ends."""
    process.overdue = True
    text = "a request of %s takes longer than PassengerMaxRequestTime: the process ends" % process.title
    pool.log("warn", group.key, 3536, text)
    pool.emit(DumpStacks(process.process_id))
    pool.emit(RunHook("max_request_time_reached", group.key, process.pid, "", text))
    pool.retire(process, now)
    process.kill_at = now + OVERDUE_SECONDS
    pool.emit(Terminate(process.process_id, "its request takes longer than PassengerMaxRequestTime"))


def detach(pool: Pool, group: Group, process: Process, now: float) -> None:
    """Somebody wants a process out of the way."""
    if process.retiring:
        return
    pool.log("notice", group.key, 3537, "%s is detached" % process.title)
    if process.starting:
        restarting.terminate(pool, process, now, "it is detached")
    pool.retire(process, now)
    pool.settle(group, now)
