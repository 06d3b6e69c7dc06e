"""Tells the pool what happens to processes, and what they report of themselves."""

from __future__ import annotations

import asyncio
from typing import Callable, Optional

from spawner.app_types import capabilities_of
from spawner.daemon.event_dispatcher import Dispatch
from spawner.daemon.start_messages import LoadSender
from spawner.daemon.start_timeouts import StartTimeouts
from spawner.logs.log import Log
from spawner.pool.pool import Pool
from spawner.pool.process import LINGER_SECONDS, describe_status
from spawner.pool.states import ProcessKind
from spawner.processes.app_limits import why_ended
from spawner.processes.app_process import AppProcess, AppRegistry
from spawner.processes.group_resources import GroupResources
from spawner.processes.import_warnings import ImportWarnings
from spawner.processes.reaper import Reaper
from spawner.processes.stray_processes import StrayWorkers
from spawner.shared import start_steps
from spawner.start_failure import StartFailure
from spawner.state_store.state_store import StateStore
from spawner.system import linux

_NOT_EXECUTED = (126 << 8, 127 << 8)  # the statuses of shells and env(1) that could not execute a program
_MOST_WARNINGS = 50  # of one release


class ProcessEventHandlers:
    """The ProcessEvents of every process.

    :param before_exit: called before the pool is told that a process has ended.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        registry: AppRegistry,
        dispatch: Dispatch,
        log: Log,
        load_sender: LoadSender,
        start_timeouts: StartTimeouts,
        state_store: StateStore,
        reaper: Reaper,
        before_exit: Callable[[], None],
    ) -> None:
        self._stray_workers = StrayWorkers(loop, LINGER_SECONDS)
        self._pool = pool
        self._registry = registry
        self._dispatch = dispatch
        self._log = log
        self._load_sender = load_sender
        self._start_timeouts = start_timeouts
        self._state_store = state_store
        self._reaper = reaper
        self._before_exit = before_exit

    def _dispatch_if_known(self, process: AppProcess, event: Callable[[int, float], None]) -> None:
        if self._registry.processes.entry(process.process_id) is not None:
            self._dispatch(event, process.process_id)

    # Starts

    def on_pid_changed(self, process: AppProcess) -> None:
        """The process is found by this pid from now on, and the next spawner has to know it."""
        self._registry.processes.set_pid(process.process_id, process.pid)
        self._state_store.mark_process(process.process_id)

    def on_hello(self, process: AppProcess) -> None:
        """A loader runs."""
        if self._registry.processes.entry(process.process_id) is not None:
            self._start_timeouts.capture_if_late(process.process_id)
            self._dispatch(self._pool.process_hello, process.process_id, process.pid)

    def on_load_wanted(self, process: AppProcess) -> None:
        """A loader waits to be told what to import."""
        if self._registry.processes.entry(process.process_id) is None:
            return
        try:
            self._load_sender.send(process)
        except OSError as error:
            failure = process.failure(start_steps.START_LOADER, str(error.strerror or error))
            self._dispatch(self._pool.start_failed, process.process_id, failure)

    def on_loaded(self, process: AppProcess, seconds: str) -> None:
        """A process has imported the app. What a direct process has imported, it shares with no other one."""
        self._log.info(3010, "app loaded: process %d of %s took %s s" % (process.pid, process.key, seconds))
        resources = self._registry.groups.handle(process.key)
        if resources is not None:
            preloads = process.kind is ProcessKind.PRELOADER
            loaded = resources.import_warnings.loaded(process.generation) if preloads else ImportWarnings()
            self._set_import_warnings(resources, loaded)
        self._dispatch_if_known(process, self._pool.process_loaded)

    def on_import_warnings(self, process: AppProcess, warnings: list[str]) -> None:
        """Log what is new of what the import left that workers suffer from, in the log of the app's virtual host only.

        The operator repairs it or says that it is known; `status` shows all of it to whoever may see the app.
        """
        resources, group = self._registry.groups.handle(process.key), self._registry.groups.entry(process.key)
        if resources is None or group is None or resources.import_warnings.awaited_generation != process.generation:
            return
        known = group.registration.options.known_import_warnings
        reported, new = resources.import_warnings.reported(warnings, known)
        self._set_import_warnings(resources, reported)
        for warning in new:
            remedy = "If it is meant to be so: PassengerKnownImportWarnings %s" % warning.name
            text = "import warning of %s: %s %s" % (process.key, warning.text, remedy)
            self._log.write("warn", 3011, text, group.registration.error_log, only_there=True)

    def _set_import_warnings(self, resources: GroupResources, warnings: ImportWarnings) -> None:
        resources.import_warnings = warnings
        self._state_store.mark_group(resources.key)

    def on_ready(self, process: AppProcess, capabilities: frozenset[str], route: str) -> None:
        """A worker accepts connections. httpd relies on what the table of loaders says that it can do."""
        self._load_sender.keep_route(process, route)
        group = self._registry.groups.entry(process.key)
        expected = capabilities_of(group.registration.app_type) if group is not None else frozenset()
        missing = expected - capabilities
        if missing:
            text = "the loader lacks what httpd expects of it: %s" % ", ".join(sorted(missing))
            self._dispatch(self._pool.start_failed, process.process_id, process.failure(start_steps.ACCEPT, text))
        else:
            self._dispatch_if_known(process, self._pool.worker_ready)

    def on_start_failed(self, process: AppProcess, failure: StartFailure) -> None:
        """A process reports that it cannot start."""
        self._dispatch(self._pool.start_failed, process.process_id, failure)

    # Forks

    def on_forked(self, process: AppProcess, slot: int, pid: int) -> None:
        """A preloader reports a worker's pid. It counts for a child of the preloader that runs as its user only."""
        if self._registry.processes.with_pid(pid):
            return  # the worker has said hello already, or this is reported again
        pidfd = linux.open_pidfd(pid)  # before the check: what is checked is what is signalled later
        verified = linux.is_child(pid, process.pid, process.identity.uid)
        worker = self._awaited_worker(process, slot)
        if verified and worker is not None:
            worker.set_forked_pid(pid, pidfd, process.output)
            self._start_timeouts.capture_if_late(worker.process_id)
            self._dispatch(self._pool.process_forked, worker.process_id, pid)
        elif verified and pidfd is not None:
            self._stray_workers.add(process, pid, pidfd)
        elif pidfd is not None:
            linux.close_descriptor(pidfd)

    def _awaited_worker(self, preloader: AppProcess, slot: int) -> Optional[AppProcess]:
        """The worker that a preloader was told to fork for a slot, as long as it has not said hello."""
        group = self._registry.groups.entry(preloader.key)
        for process_id in group.processes if group is not None else ():
            worker = self._registry.processes.handle(process_id)
            if worker is None or worker.kind is not ProcessKind.WORKER or worker.hello_received:
                continue
            same = (worker.slot, worker.generation) == (slot, preloader.generation)
            # None: the spawner before had it forked
            if same and worker.preloader_id in (preloader.process_id, None):
                return worker
        return None

    def on_fork_failed(self, process: AppProcess, slot: int, summary: str) -> None:
        """A preloader could not fork the worker of a slot."""
        worker = self._awaited_worker(process, slot)
        if worker is not None:
            self._dispatch(self._pool.start_failed, worker.process_id, worker.failure(start_steps.FORK, summary))

    def on_worker_exited(self, process: AppProcess, pid: int, status: int) -> None:
        """A preloader reports the status of a worker; it counts for its own group only."""
        for process_id in self._registry.processes.with_pid(pid):
            other = self._registry.processes.handle(process_id)
            if other is not None and other.key == process.key:
                self._reaper.add_status(pid, status)
                other.on_status_known()

    # While a worker serves

    def on_max_requests(self, process: AppProcess, requests: int) -> None:
        """A worker has served PassengerMaxRequests."""
        text = "PassengerMaxRequests reached: worker %d of %s has served %d requests"
        self._log.info(3108, text % (process.pid, process.key, requests))
        self._dispatch_if_known(process, self._pool.max_requests_reached)

    def on_work_requested(self, process: AppProcess) -> None:
        """A worker's app has asked for out-of-band work."""
        self._dispatch_if_known(process, self._pool.work_requested)

    def on_work_done(self, process: AppProcess, seconds: str) -> None:
        """A worker has done its out-of-band work."""
        text = "out-of-band work done: worker %d of %s took %s s"
        self._log.info(3109, text % (process.pid, process.key, seconds))
        self._dispatch_if_known(process, self._pool.work_done)

    def on_warning(self, process: AppProcess, text: str) -> None:
        """A worker has accepted what an app should not do. Logged once for a release."""
        resources, group = self._registry.groups.handle(process.key), self._registry.groups.entry(process.key)
        if resources is None or group is None:
            return
        if resources.tolerated_generation != process.generation:
            resources.tolerated_generation, resources.tolerated = process.generation, set()
        if text not in resources.tolerated and len(resources.tolerated) < _MOST_WARNINGS:
            resources.tolerated.add(text)
            line = "app warning of %s: %s" % (process.key, text)
            self._log.write("warn", 3013, line, group.registration.error_log)

    # Ends

    def exit_status(self, pid: int) -> Optional[int]:
        """The exit status of a process, once, if it is known by now."""
        self._reaper.collect()
        return self._reaper.pop_status(pid)

    def on_exit(self, process: AppProcess, status: Optional[int]) -> None:
        """A process has ended; one that was still starting has failed to start."""
        self._before_exit()
        self._start_timeouts.forget(process.process_id)
        entry = self._registry.processes.entry(process.process_id)
        limit = self._limit_that_ended(process, status)
        if entry is None or not entry.starting or entry.killed:
            if limit and entry is not None and not entry.killed:
                self._log.warn(3117, "a limit has ended a process: %s: %s" % (entry.title, limit))
            self._dispatch(self._pool.process_exited, process.process_id, status)
            return
        status_text = "; ".join(part for part in (describe_status(status), limit) if part)
        step, summary = entry.start_step, "the process ended (%s) before it was up" % status_text
        if not process.hello_received and status in _NOT_EXECUTED:
            interpreter = dict(process.facts).get("interpreter", "the interpreter")
            step, summary = start_steps.EXECUTE, "%s could not be executed" % interpreter
        self._dispatch(self._pool.start_failed, process.process_id, process.failure(step, summary))

    def _limit_that_ended(self, process: AppProcess, status: Optional[int]) -> str:
        """Which directive has ended a process; empty: none."""
        group = self._registry.groups.entry(process.key)
        kills = process.tree.count_oom_kills() if process.tree is not None else 0
        return why_ended(status, group.registration.options, kills) if group is not None else ""

    def on_protocol_error(self, process: AppProcess, reason: str) -> None:
        """A process that breaks the protocol cannot be relied on: it is killed."""
        text = "protocol error, the process is killed: process %d of %s: %s"
        self._log.error(3012, text % (process.pid, process.key, reason))
        process.kill()
