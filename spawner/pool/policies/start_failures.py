"""What follows when a process of an app does not start, or when a worker ends by itself."""

from __future__ import annotations

from spawner.pool.backoff import MIN_UPTIME_SECONDS, PAUSES
from spawner.pool.capacity import Capacity
from spawner.pool.effects import FailWaiting, RunHook
from spawner.pool.group import Group
from spawner.pool.policies import restarts
from spawner.pool.process import Process
from spawner.pool.states import GroupEvent, GroupState, ProcessKind
from spawner.start_failure import StartFailure

MAX_FAILURES = 5  # starts in a row that may fail until a restart does with the workers that it has brought up


def worker_ended(group: Group, capacity: Capacity, process: Process, now: float) -> None:
    """A worker has ended by itself. One that ends as soon as it is up, without a request, may be in a crash loop."""
    served = process.requests or process.running or capacity.is_busy(process)
    early = not served and not process.single_request and now < process.came_up + MIN_UPTIME_SECONDS
    group.backoff.worker_ended(early, now)


def start_failed(group: Group, capacity: Capacity, process: Process, failure: StartFailure, now: float) -> None:
    """A process did not come up, and is removed: who waits is told, or the old generation goes on."""
    if process.generation != group.release.wanted:
        group.backoff.pause_for(PAUSES[0], now)  # the old preloader does not fork: not at once again
        return
    group.backoff.start_failed(failure, process.generation, now)
    if group.always_restart:  # a request asks for each start, and whoever edits the code waits for none
        group.backoff.retry_at_once(now)
    group.log("error", 3513, _text(group, failure))
    group.emit(RunHook("spawn_failed", group.key, process.pid, failure.error_id or "", failure.summary))
    if _is_loading_next(group):
        _release_failed(group, failure, now)
    elif group.state is GroupState.STARTING and not any(worker.starting for worker in group.workers()):
        _group_failed(group, failure, now)
    else:
        group.backoff.pause()
        group.release.tell("", failure)
        _replace_unresponsive_preloader(group, process, now)
        _end_restart_that_goes_on_failing(group, failure, now)
    restarts.begin_queued(group, capacity, now)


def _is_loading_next(group: Group) -> bool:
    return group.state is GroupState.RESTARTING and group.release.next is not None


def _text(group: Group, failure: StartFailure) -> str:
    text = "cannot start %s: step %s: %s (error id %s)" % (group.key, failure.step, failure.summary, failure.error_id)
    if _is_loading_next(group) and group.registration.options.resist_deployment_errors:
        text += "; generation %d goes on serving" % group.release.current
    facts = ["%s: %s" % (name, value.replace("\n", ", ")) for name, value in failure.facts]
    return "\n".join([text, *facts, *([failure.detail.rstrip()] if failure.detail else [])])


def _release_failed(group: Group, failure: StartFailure, now: float) -> None:
    """The newer release did not come up while the older one serves."""
    if not group.registration.options.resist_deployment_errors:
        group.release.drop_current()
        group.retire_all(now)
        group.on(GroupEvent.EMPTIED)
        _group_failed(group, failure, now)
        return
    failed = group.release.pin(failure, now)
    for other in list(group.processes.values()):
        if other.generation == failed:
            group.retire(other, now)
    if not group.older_workers():
        group.on(GroupEvent.START_FAILED)
    group.release.fail(failure)


def _group_failed(group: Group, failure: StartFailure, now: float) -> None:
    """Nothing serves, and nothing is starting: who waits is told."""
    group.sizing.clear()
    group.on(GroupEvent.START_FAILED)
    group.emit(FailWaiting(group.key, failure))
    for process in list(group.processes.values()):
        if process.kind is ProcessKind.PRELOADER:
            group.retire(process, now)
    group.release.fail(failure)


def _replace_unresponsive_preloader(group: Group, worker: Process, now: float) -> None:
    """A preloader that has not forked a worker in all the time that it had forks none: another one may."""
    if worker.pid or now < worker.started + group.registration.options.start_timeout:
        return
    preloader = group.preloader(worker.generation)
    if preloader is not None and worker.kind is ProcessKind.WORKER:
        group.retire(preloader, now)
        group.kill(preloader, "it does not fork")


def _end_restart_that_goes_on_failing(group: Group, failure: StartFailure, now: float) -> None:
    """A restart has brought a worker up, and now starts fail over and over: it does not go on for ever.

    If what has come up still serves, it is enough, and the older release goes: the two do not go on beside each other.
    The missing workers are tried for as those of any app.
    """
    if group.state is not GroupState.RESTARTING or group.backoff.failures < MAX_FAILURES:
        return
    older = [other.generation for other in group.outdated_workers()]
    if older and not any(fresh.serving for fresh in group.up_to_date_workers()):
        group.release.fall_back(max(older))
        _release_failed(group, failure, now)
        return
    text = "the restart of %s ends with fewer workers than before: %d starts in a row have failed"
    group.log("warn", 3540, text % (group.key, group.backoff.failures))
    group.retire_older(now)
    group.release.complete_with_fewer(failure)
