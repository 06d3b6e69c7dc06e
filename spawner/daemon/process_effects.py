"""Carries out what the pool wants done with processes: starts them, tells them what to do, lets them go."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import Callable, Optional, Sequence

from spawner.daemon.world import Feed, World
from spawner.errors import StartFailure
from spawner.loaders import steps
from spawner.logs.line_sink import LineSink
from spawner.logs.output import AppOutput
from spawner.options import AppOptions
from spawner.pool import effects
from spawner.pool.process import SLOTS
from spawner.pool.registration import Registration
from spawner.pool.states import ProcessKind
from spawner.processes.app_process import AppProcess, ProcessEvents
from spawner.processes.group_resources import backlog_for
from spawner.processes.launcher import Launched, StartError, control_line
from spawner.processes.stack_capture import BACKTRACE_SIGNAL
from spawner.system.linux import Identity

_RETRY = 1.0  # seconds until a start is tried again that found no descriptors


class ProcessEffects:
    """One method per kind of effect. None of them raises for what an app, its files or the machine's limits do."""

    def __init__(self, loop: asyncio.AbstractEventLoop, world: World) -> None:
        self._world = world
        self._loop = loop
        self._events: ProcessEvents
        self._feed: Feed
        # Starts that wait until there are descriptors, by process id.
        self._held: dict[int, effects.Effect] = {}
        self._retry: Optional[asyncio.TimerHandle] = None
        self.kinds: dict[type, Callable[..., None]] = {
            effects.StartProcess: self._start_process,
            effects.ForkWorker: self._fork_worker,
            effects.ServeDirect: self._serve_direct,
            effects.DoOutOfBandWork: self._work,
            effects.DumpStacks: self._dump_stacks,
            effects.Retire: self._retire,
            effects.Terminate: self._terminate,
            effects.Kill: self._kill,
            effects.ForgetProcess: self._forget_process,
        }

    def connect(self, events: ProcessEvents, feed: Feed) -> None:
        """Say where events go that follow from carrying out effects."""
        self._events, self._feed = events, feed

    def close(self) -> None:
        """Start nothing any more."""
        if self._retry is not None:
            self._retry.cancel()
        self._held.clear()

    # Starts

    def _start_process(self, effect: effects.StartProcess) -> None:
        world = self._world
        registration = world.pool.groups[effect.key].registration
        if not self._has_descriptors(effect.process_id, effect):
            return
        try:
            launched = world.launcher.launch(registration, world.pool.server)
        except StartError as error:
            self._feed(world.pool.start_failed, effect.process_id, error.failure)
            return
        group = world.groups[effect.key]
        group.user, group.uid = launched.identity.user, launched.identity.uid
        entry = world.pool.processes[effect.process_id]
        process = self.add_process(
            effect.process_id, effect.key, effect.kind, effect.generation, entry.slot, launched.identity,
            launched.line, launched.output,
        )  # fmt: skip
        process.facts, process.environment = launched.facts, launched.environment
        process.set_pid(launched.pid)
        self._log_start(effect, launched)

    def _has_descriptors(self, process_id: int, effect: effects.Effect) -> bool:
        """Whether there are enough for a start; one that finds none waits: it is no fault of the app."""
        if self._world.scarcity.enough():
            return True
        self._held[process_id] = effect
        if self._retry is None:
            self._retry = self._loop.call_later(_RETRY, self._start_held)
        return False

    def _start_held(self) -> None:
        self._retry = None
        held, self._held = self._held, {}
        for process_id, effect in held.items():
            if process_id in self._world.pool.processes:
                self.kinds[type(effect)](effect)

    def _was_held(self, process_id: int) -> bool:
        """Whether a process that is to end has not been started yet: then it ends now."""
        if self._held.pop(process_id, None) is None:
            return False
        self._feed(self._world.pool.process_exited, process_id, None)
        return True

    def _log_start(self, effect: effects.StartProcess, launched: Launched) -> None:
        text = "%s: %s of generation %d started as user %s: process %d"
        values = (effect.key, effect.kind.value, effect.generation, launched.identity.user, launched.pid)
        self._world.log.info(3023, text % values)

    def add_process(
        self,
        process_id: int,
        key: str,
        kind: ProcessKind,
        generation: int,
        slot: Optional[int],
        identity: Identity,
        line: socket.socket,
        output: int,
    ) -> AppProcess:
        """Take a process over; its descriptors are ours from now on."""
        logs, pool = self._world.app_logs, self._world.pool
        registration = pool.groups[key].registration

        def sink() -> Optional[LineSink]:
            group = pool.groups.get(key)
            now = group.registration if group is not None else registration
            return logs.sink(now.options.app_log_file, now.app_root, now.error_log, identity)

        app_output = AppOutput(output, 0, sink, lambda: logs.form, self._world.configuration.line_length)
        process = AppProcess(
            self._loop, self._events, process_id, key, kind, generation, slot, identity, line, app_output
        )
        self._world.processes[process_id] = process
        return process

    def send_load(self, process: AppProcess) -> None:
        """Have a process that said hello load its app."""
        world = self._world
        entry, group = world.pool.groups[process.key], world.groups[process.key]
        fields = [
            ("type", "load"),
            ("app_root", entry.registration.app_root),
            ("startup_file", entry.registration.startup_file),
            ("group", process.key),
            ("generation", str(process.generation)),
            ("app_token", group.token),
            ("slots", str(SLOTS)),
            ("multiprocess", "1" if world.pool.cap(process.key) > 1 else "0"),
            ("server_software", world.parameters.server_software),
            ("friendly", "1" if entry.registration.options.friendly_error_pages else "0"),
            *limits_of(entry.registration, world.pool.processes[process.process_id].single_request),
        ]
        descriptors = (group.listener.fileno(), group.scoreboard.descriptor, world.parameters.lifeline_fd)
        if not process.line.send(fields, descriptors):
            failure = process.failure(steps.START_LOADER, "the process does not read its control line")
            self._feed(world.pool.start_failed, process.process_id, failure)

    def _fork_worker(self, effect: effects.ForkWorker) -> None:
        preloader = self._world.processes.get(effect.preloader_id)
        if preloader is not None and not self._has_descriptors(effect.process_id, effect):
            return
        try:
            if preloader is None:
                raise OSError("the preloader is gone")
            self._fork(effect, preloader)
        except OSError as error:
            failure = StartFailure(steps.FORK, str(error.strerror or error))
            self._feed(self._world.pool.start_failed, effect.process_id, failure)

    def _fork(self, effect: effects.ForkWorker, preloader: AppProcess) -> None:
        """Send a preloader what a new worker is to have: the ends of its line and output pipe, its own socket.

        :raises OSError: something cannot be made, or the preloader does not read.
        """
        given: list[int] = []  # the worker's, closed here when they have been sent
        kept: list[int] = []  # ours
        try:
            ours, theirs = control_line()
            given, kept = [theirs.detach()], [ours.detach()]
            output, write_end = os.pipe()
            given, kept = [*given, write_end], [*kept, output]
            route = self._add_own_socket(effect.key, given)
            message = [("type", "fork"), ("slot", str(effect.slot)), *_route_field(route)]
            if not preloader.line.send(message, given):
                self._world.instance.remove_worker_socket(effect.key, route)
                raise OSError("the preloader does not read its control line")
        except OSError:
            _close_all(kept)
            raise
        finally:
            _close_all(given)
        line = socket.socket(fileno=kept[0])
        line.setblocking(False)
        worker = self.add_process(
            effect.process_id, effect.key, ProcessKind.WORKER, effect.generation, effect.slot, preloader.identity,
            line, output,
        )  # fmt: skip
        worker.preloader_id, worker.facts, worker.route = preloader.process_id, preloader.facts, route
        worker.environment = preloader.environment

    def _serve_direct(self, effect: effects.ServeDirect) -> None:
        process = self._world.processes[effect.process_id]
        given: list[int] = []
        try:
            process.route = self._add_own_socket(effect.key, given)
            message = [("type", "serve"), ("slot", str(effect.slot)), *_route_field(process.route)]
            sent = process.line.send(message, given)
            summary = "the process does not read its control line"
        except OSError as error:
            sent, summary = False, "no socket of its own could be made: %s" % (error.strerror or error)
        finally:
            _close_all(given)
        if not sent:
            self._feed(self._world.pool.start_failed, effect.process_id, process.failure(steps.ACCEPT, summary))

    def _add_own_socket(self, key: str, given: list[int]) -> str:
        """Make a worker's own socket for PassengerStickySessions and add it to what the worker is given.

        :returns: its route; empty: the worker has none.
        :raises OSError: it cannot be made.
        """
        world = self._world
        registration = world.pool.groups[key].registration
        if not registration.options.sticky_sessions:
            return ""
        backlog = backlog_for(registration, world.pool.server)
        route, listener = world.instance.listen_for_worker(key, backlog)
        given.append(listener.detach())
        return route

    # While they run

    def _work(self, effect: effects.DoOutOfBandWork) -> None:
        process = self._world.processes.get(effect.process_id)
        if process is not None:  # on a line that takes nothing it is not told, and goes on serving
            process.line.send([("type", "work")])

    def _dump_stacks(self, effect: effects.DumpStacks) -> None:
        process = self._world.processes.get(effect.process_id)
        if process is not None:
            self._world.stacks.dump(process, effect.reason or self._late_reason(process))

    def _late_reason(self, process: AppProcess) -> str:
        what = " and ".join(self._late_requests(process)) or "a request"
        return "%s has taken longer than PassengerMaxRequestTime" % what

    def _late_requests(self, process: AppProcess) -> list[str]:
        """Which requests of a worker have passed their deadline, in the worker's words."""
        group, now = self._world.groups.get(process.key), time.monotonic()
        if group is None or process.slot is None:
            return []
        late = [one for one in group.scoreboard.requests(process.slot) if one.deadline and one.deadline <= now]
        return ["%s %s%s" % (one.method, one.host, one.path) for one in late]

    # Ends

    def _retire(self, effect: effects.Retire) -> None:
        process = self._world.processes.get(effect.process_id)
        if process is not None:
            self._remove_own_socket(process)
            process.line.retire()
        else:
            self._was_held(effect.process_id)

    def _terminate(self, effect: effects.Terminate) -> None:
        process = self._world.processes.get(effect.process_id)
        if process is None:
            self._was_held(effect.process_id)
            return
        self._world.log.info(3025, "%s: process %d is to end: %s" % (process.key, process.pid, effect.reason))
        self._world.stacks.after(process, process.terminate)

    def _kill(self, effect: effects.Kill) -> None:
        process = self._world.processes.get(effect.process_id)
        if process is None:
            self._was_held(effect.process_id)
            return
        if effect.reason:
            self._world.log.notice(3024, "%s: process %d is killed: %s" % (process.key, process.pid, effect.reason))
        process.kill()

    def _forget_process(self, effect: effects.ForgetProcess) -> None:
        self._held.pop(effect.process_id, None)
        process = self._world.processes.pop(effect.process_id, None)
        if process is None:
            return
        if process.alive:  # it failed to come up and is still there
            process.kill()
        process.close()
        self._remove_own_socket(process)
        group = self._world.groups.get(process.key)
        if group is not None and process.slot is not None:
            group.scoreboard.clear(process.slot)

    def _remove_own_socket(self, process: AppProcess) -> None:
        self._world.instance.remove_worker_socket(process.key, process.route)


def limits_of(registration: Registration, single_request: bool) -> list[tuple[str, str]]:
    """What `load` says of the limits of a process.

    :param single_request: it is to serve one request and end.
    """
    options = registration.options
    smart = options.spawn_method == "smart" and not single_request
    return [
        ("threads", str(threads_of(options))),
        ("max_requests", str(1 if single_request else options.max_requests)),
        ("stops_when_worn", "1" if smart or single_request else "0"),
        ("backtrace_signal", str(BACKTRACE_SIGNAL)),
    ]


def threads_of(options: AppOptions) -> int:
    """How many requests a worker is given at a time."""
    if options.concurrency_model != "thread":
        return 1
    forced = options.force_max_concurrent_requests_per_process
    return min(options.thread_count, forced) if forced > 0 else options.thread_count


def _route_field(route: str) -> Sequence[tuple[str, str]]:
    return (("route", route),) if route else ()


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
