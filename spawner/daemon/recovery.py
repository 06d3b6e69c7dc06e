"""Takes over what an earlier spawner of the same httpd has left: listeners, scoreboards, processes."""

from __future__ import annotations

import os
import socket
import time
import traceback
from pathlib import Path

from spawner.daemon.event_dispatcher import Dispatch
from spawner.daemon.process_factory import ProcessFactory
from spawner.daemon.start_timeouts import StartTimeouts
from spawner.logs.log import Log
from spawner.pool.pool import Pool
from spawner.pool.states import ProcessState
from spawner.processes.app_cgroups import AppCgroup
from spawner.processes.app_process import AppRegistry
from spawner.processes.group_resources import GroupResources
from spawner.processes.process_tree import ProcessTree, ProcessTrees
from spawner.processes.scoreboard_reader import ScoreboardReader
from spawner.state_store.instance_directory import InstanceDirectory
from spawner.state_store.records import RecoveredGroup, RecoveredProcess
from spawner.state_store.state_store import StateStore
from spawner.system import linux
from spawner.watching.restart_watch import RestartWatch


class Recovery:
    """Runs once, before anything is registered.

    :param registry: the resources of groups are attached to it.
    :param factory: makes the processes.
    """

    def __init__(
        self,
        pool: Pool,
        registry: AppRegistry,
        factory: ProcessFactory,
        dispatch: Dispatch,
        log: Log,
        state_store: StateStore,
        instance: InstanceDirectory,
        restart_watch: RestartWatch,
        start_timeouts: StartTimeouts,
        trees: ProcessTrees,
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._factory = factory
        self._dispatch = dispatch
        self._log = log
        self._state_store = state_store
        self._instance = instance
        self._restart_watch = restart_watch
        self._start_timeouts = start_timeouts
        self._trees = trees
        self._known_trees: dict[Path | int, ProcessTree] = {}

    def run(self) -> None:
        """Enter the groups and processes of the descriptor store into the pool, and go on from there.

        A defect ends the recovery where it is: without the registration socket httpd would have no apps at all.
        """
        try:
            self._recover_all()
        except Exception:  # noqa: BLE001 - a boundary: a defect over one app must not be the end of all others
            text = "a defect of the spawner: not everything could be taken over from the spawner before:\n%s"
            self._log.error(3112, text % traceback.format_exc().rstrip())
        counts = (len(self._registry.groups.handles), len(self._registry.processes.handles))
        if counts[0]:
            self._log.notice(3046, "took over %d apps with %d processes from the spawner before" % counts)

    def _recover_all(self) -> None:
        found = self._state_store.recover(time.monotonic())
        recovered = [group for group in found if self._recover_or_drop(group)]
        processes = self._registry.processes.handles
        paths = {key: one.path for key, one in self._registry.groups.handles.items()}
        own = {self._instance.worker_socket(paths[one.key], name) for one in processes.values() for name in one.routes}
        self._instance.remove_other_sockets(own | set(paths.values()))
        self._trees.end_others(self._known_trees)
        self._dispatch(self._pool.adoption_complete)
        for process_id in list(processes):
            self._start_timeouts.capture_if_late(process_id)
        for group in recovered:
            self._restart_watch.resume(group.registration.key, group.restart_trigger)

    def _recover_or_drop(self, found: RecoveredGroup) -> bool:
        """Whether a group was taken over. A defect drops this group only: it registers again with its next request."""
        try:
            return self._recover_group(found)
        except Exception:  # noqa: BLE001 - a boundary: the group is dropped, the others are taken over
            text = "a defect of the spawner: %s cannot be taken over:\n%s"
            self._log.error(3113, text % (found.registration.key, traceback.format_exc().rstrip()))
            self._drop(found)
            return False

    def _drop(self, found: RecoveredGroup) -> None:
        key = found.registration.key
        self._restart_watch.unwatch(key)
        resources = self._registry.groups.detach(key)
        if resources is not None:
            resources.close()
        for process in [one for one in self._registry.processes.handles.values() if one.key == key]:
            self._registry.processes.detach(process.process_id)
            process.line.retire()
            process.close()
        self._pool.drop_adopted(key)
        for left in [process for process in found.processes if process.line.fileno() >= 0]:
            left.close()
        self._state_store.discard(found)

    def _recover_group(self, found: RecoveredGroup) -> bool:
        """Take over a group, unless its socket was removed: then no client finds it, and its processes retire."""
        registration, key = found.registration, found.registration.key
        path = self._instance.app_socket(key, found.token)
        try:
            os.stat(path)
            scoreboard = ScoreboardReader(found.scoreboard)
        except (OSError, ValueError) as error:
            self._log.warn(3060, "an app cannot be taken over from the spawner before: %s: %s" % (key, error))
            self._state_store.discard(found)
            found.close()
            return False
        listener = socket.socket(fileno=found.listener)
        listener.setblocking(False)
        now = time.monotonic()
        self._pool.adopt_group(registration, found.generation, now, found.pinned, found.always_restart)
        resources = GroupResources(key, path, listener, scoreboard, found.token, import_warnings=found.import_warnings)
        self._registry.groups.attach(key, resources)
        restart_dir = registration.options.restart_dir
        self._restart_watch.watch(key, registration.app_root, restart_dir, found.always_restart)
        app = self._trees.apps.prepare(key, registration.options)
        resources.without_effect = app.without_effect
        for process in found.processes:
            self._recover_process(resources, process, app)
        return True

    def _recover_process(self, resources: GroupResources, found: RecoveredProcess, app: AppCgroup) -> None:
        entry = found.entry
        age = linux.age_of(entry.pid) if entry.pid and not entry.starting else None
        entry.started -= age or 0.0
        self._pool.adopt_process(entry)
        process = self._factory.add(entry, found.identity, found.line, found.output)
        process.routes = found.routes
        process.tree = self._trees.find(entry.pid, found.identity.uid, self._known_trees, app).acquire()
        resources.user, resources.uid = found.identity.user, found.identity.uid
        process.hello_received = entry.state is not ProcessState.SPAWNED
        process.loaded = entry.state not in (ProcessState.SPAWNED, ProcessState.LOADING)
        process.ready = entry.state in (ProcessState.SERVING, ProcessState.RETIRING)
        self._state_store.process_recovered(entry.process_id, found.store_key)
        if entry.pid:
            process.set_pid(entry.pid, found.pidfd)
