"""How the code of an app comes in: the first start, a restart, the workers of a newer release, always_restart.txt."""

from __future__ import annotations

from typing import Iterable, Optional

from spawner.pool.capacity import Capacity
from spawner.pool.group import Group
from spawner.pool.process import Process
from spawner.pool.release import DRAIN_SECONDS
from spawner.pool.states import GroupEvent, GroupState, ProcessKind


def start(group: Group, capacity: Capacity) -> None:
    """A group without workers has a request: it is to have as many as it keeps."""
    group.unpin_if_lost()
    group.sizing.begin(capacity.cap(group), _minimum(group))
    group.on(GroupEvent.SPAWN)


def _minimum(group: Group) -> int:
    return 1 if group.always_restart else group.registration.options.min_instances


def restart(
    group: Group, capacity: Capacity, now: float, method: Optional[str] = None, start_if_cold: bool = False
) -> int:
    """Bring in the code that is there now.

    :param method: `rolling`, `blocking`, or None: as configured.
    :param start_if_cold: start an app without a process, too.
    :returns: the generation that will have the code.
    """
    release = group.release
    if group.state is GroupState.CLOSING:
        return release.newest
    unproven = bool(group.unproven())
    if release.must_queue(unproven):
        return release.queue(method, start_if_cold)
    group.on(GroupEvent.RESTART)
    group.backoff.clear()
    _drop_unproven(group, now)
    generation = release.begin(now, group.sizing.target, unproven)
    if _is_rolling(group, method):
        release.load_beside(now + group.registration.options.start_timeout + DRAIN_SECONDS)
        group.log("notice", 3512, "restart begins: %s: generation %d" % (group.key, generation))
    else:
        release.use_newest()
        group.retire_all(now)
    if start_if_cold and group.state is GroupState.COLD:
        start(group, capacity)
        release.count_first_workers(group.sizing.target)
    return generation


def _is_rolling(group: Group, method: Optional[str]) -> bool:
    """Only where something serves can one come in after the other."""
    rolling = method == "rolling" or (method is None and group.registration.options.rolling_restarts)
    return rolling and group.state is GroupState.RESTARTING and not group.always_restart


def _drop_unproven(group: Group, now: float) -> None:
    """What an unfinished restart, or a first start, has under way is outdated too."""
    for process in list(group.processes.values()):
        if process.starting or process.generation == group.release.next:
            group.terminate(process, now, "a newer restart")


def begin_queued(group: Group, capacity: Capacity, now: float) -> None:
    """Do the restart that waits for the generation under way, now that it has come up or failed."""
    queued = group.release.queued
    if queued is not None and not group.unproven():
        restart(group, capacity, now, queued.method, queued.start_if_cold)


def worker_ready(group: Group, capacity: Capacity, process: Process, now: float) -> None:
    """A worker accepts: what that means for the generations and for the restart under way."""
    release, generation = group.release, process.generation
    if generation == release.wanted and group.backoff.start_succeeded(generation):
        release.starts_succeed()
    serving = sum(fresh.serving for fresh in group.up_to_date_workers())
    if release.worker_accepts(generation, serving, now):
        for other in list(group.processes.values()):
            if other.kind is ProcessKind.PRELOADER and other.generation < generation:
                group.retire(other, now)
    group.on(GroupEvent.WORKER_READY)
    begin_queued(group, capacity, now)


def retire_former_user(group: Group, former: Iterable[int], now: float) -> None:
    """The processes of the former user have no way to get a request any more, even if a restart has not finished."""
    for process_id in former:
        process = group.processes.get(process_id)
        if process is not None and process.starting:
            group.terminate(process, now, "the user of the app has changed")
        elif process is not None:
            group.retire(process, now)


def switch_always_restart(group: Group, capacity: Capacity, on: bool, now: float) -> None:
    """The file always_restart.txt is there now, or it is gone.

    With it no worker is kept: each request gets a process that has loaded the code that is there then, and what was
    kept goes when it has finished its requests. Without it an app with a process keeps its minimum again.
    """
    if group.always_restart == on or group.state is GroupState.CLOSING:
        return
    group.always_restart = on
    exists = "always_restart.txt exists, each request gets its own process: %s"
    gone = "always_restart.txt is gone, the app keeps its processes again: %s"
    group.log("notice", 3538, (exists if on else gone) % group.key)
    if not on:
        group.sizing.keep_at_least(capacity.cap(group), _minimum(group))
        return
    group.release.start_queued(now, group.sizing.target)
    group.release.use_newest()
    for process in list(group.processes.values()):
        if process.starting and not process.single_request:
            group.terminate(process, now, "always_restart.txt")
        elif not process.single_request:
            group.retire(process, now)
