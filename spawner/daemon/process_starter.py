"""Starts processes: interpreters that import the app, and workers that a preloader forks."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Optional, Sequence

from spawner.daemon.descriptor_exhaustion import DescriptorExhaustion
from spawner.daemon.event_dispatcher import Dispatch, EffectHandler
from spawner.daemon.process_factory import ProcessFactory
from spawner.daemon.start_messages import new_assignment
from spawner.daemon.user_change import UserChange
from spawner.logs.log import Log
from spawner.pool import effects
from spawner.pool.pool import Pool
from spawner.processes.app_process import AppProcess, AppRegistry
from spawner.processes.launcher import Launcher, StartError, control_line
from spawner.processes.process_tree import ProcessTrees
from spawner.shared import start_steps
from spawner.start_failure import StartFailure
from spawner.state_store.instance_directory import InstanceDirectory
from spawner.system import linux

_RETRY = 1.0  # seconds until a start is tried again that found no descriptors


class ProcessStarter:
    """One method for each kind of effect. None of them raises for the fault of an app or of the machine.

    :param factory: makes the processes that are started.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        registry: AppRegistry,
        factory: ProcessFactory,
        dispatch: Dispatch,
        log: Log,
        launcher: Launcher,
        trees: ProcessTrees,
        user_change: UserChange,
        instance: InstanceDirectory,
        descriptors: DescriptorExhaustion,
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._registry = registry
        self._factory = factory
        self._dispatch = dispatch
        self._log = log
        self._launcher = launcher
        self._trees = trees
        self._user_change = user_change
        self._instance = instance
        self._descriptors = descriptors
        # Starts that wait for descriptors, by process id.
        self._waiting: dict[int, effects.Effect] = {}
        self._retry: Optional[asyncio.TimerHandle] = None
        self.handlers: dict[type, EffectHandler] = {
            effects.StartProcess: self._start_process,
            effects.ForkWorker: self._fork_worker,
        }

    def close(self) -> None:
        """Start nothing any more."""
        if self._retry is not None:
            self._retry.cancel()
        self._waiting.clear()

    # Interpreters

    def _start_process(self, effect: effects.StartProcess) -> None:
        if self._must_wait(effect.process_id, effect):
            return
        registration = self._registry.groups.entries[effect.key].registration
        resources = self._registry.groups.handles[effect.key]
        app = self._trees.apps.prepare(effect.key, registration.options)
        resources.without_effect = app.without_effect
        try:
            with self._trees.new(app) as tree:
                entered = tree.cgroup.folder if tree.cgroup is not None and app.limited else None
                launched = self._launcher.launch(registration, self._pool.server, entered)
        except StartError as error:
            self._dispatch(self._pool.start_failed, effect.process_id, error.failure)
            return
        former = resources.uid
        resources.user, resources.uid = launched.identity.user, launched.identity.uid
        entry = self._registry.processes.entries[effect.process_id]
        process = self._factory.add(entry, launched.identity, launched.line, launched.output)
        process.facts, process.environment = launched.facts, launched.environment
        tree.session, tree.uid = launched.pid, launched.identity.uid
        process.tree = tree.acquire()
        pidfd = linux.open_pidfd(launched.pid) if launched.becomes_user else None
        process.set_pid(launched.pid, pidfd, launched.becomes_user)
        text = "started process %d: %s of %s, generation %d, user %s"
        values = (launched.pid, effect.kind.value, effect.key, effect.generation, launched.identity.user)
        self._log.info(3023, text % values)
        if former is not None and former != launched.identity.uid:
            self._user_change.begin(effect.key, former, launched.identity.uid)

    # Forks

    def _fork_worker(self, effect: effects.ForkWorker) -> None:
        preloader = self._registry.processes.handle(effect.preloader_id)
        if preloader is not None and self._must_wait(effect.process_id, effect):
            return
        try:
            if preloader is None:
                raise OSError("the preloader is gone")
            self._fork(effect, preloader)
        except OSError as error:
            failure = StartFailure(start_steps.FORK, str(error.strerror or error))
            self._dispatch(self._pool.start_failed, effect.process_id, failure)

    def _fork(self, effect: effects.ForkWorker, preloader: AppProcess) -> None:
        """Send a preloader the descriptors of a new worker: the ends of its line and output pipe, its own socket.

        :raises OSError: one of them cannot be made, or the preloader does not read.
        """
        given: list[int] = []  # the worker's, closed here when they have been sent
        kept: list[int] = []  # ours
        try:
            ours, theirs = control_line()
            given, kept = [theirs.detach()], [ours.detach()]
            output, write_end = os.pipe()
            given, kept = [*given, write_end], [*kept, output]
            registration = self._registry.groups.entries[effect.key].registration
            app_socket = self._registry.groups.handles[effect.key].path
            with new_assignment(effect.slot, registration, app_socket, self._pool.server, self._instance) as slot:
                preloader.line.send_or_fail([("type", "fork"), *slot.fields], [*given, *slot.descriptors])
        except OSError:
            _close_all(kept)
            raise
        finally:
            _close_all(given)
        line = socket.socket(fileno=kept[0])
        line.setblocking(False)
        entry = self._registry.processes.entries[effect.process_id]
        worker = self._factory.add(entry, preloader.identity, line, output)
        worker.tree = preloader.tree.acquire() if preloader.tree is not None else None
        worker.preloader_id, worker.routes = preloader.process_id, slot.routes
        worker.facts, worker.environment = preloader.facts, preloader.environment

    # Both

    def _must_wait(self, process_id: int, effect: effects.Effect) -> bool:
        """Whether there are too few descriptors. The start waits then: it is no fault of the app."""
        if self._descriptors.can_start_process():
            return False
        self._waiting[process_id] = effect
        if self._retry is None:
            self._retry = self._loop.call_later(_RETRY, self._start_waiting)
        return True

    def _start_waiting(self) -> None:
        self._retry = None
        waiting, self._waiting = self._waiting, {}
        for process_id, effect in waiting.items():
            if self._registry.processes.entry(process_id) is not None:
                self.handlers[type(effect)](effect)

    def cancel(self, process_id: int) -> None:
        """A process is to end that has no AppProcess: if its start waits for descriptors, it has ended."""
        if self._waiting.pop(process_id, None) is not None:
            self._dispatch(self._pool.process_exited, process_id, None)

    def forget(self, process_id: int) -> None:
        """The pool has dropped a process: its start waits no longer."""
        self._waiting.pop(process_id, None)


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
