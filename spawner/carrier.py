"""Carries the pool's effects out: sockets, processes, signals, log lines."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Callable, Optional

from spawner import effects, failure_page
from spawner.app_group import AppGroup, backlog_for, new_token
from spawner.app_process import AppProcess, ProcessEvents
from spawner.errors import StartFailure
from spawner.group import SLOTS
from spawner.launcher import Launched, StartError, identity_for, prepare_line
from spawner.line_sink import LineSink
from spawner.linux import Identity
from spawner.loaders import steps
from spawner.open_as_user import read_file
from spawner.output import AppOutput
from spawner.scoreboard import Scoreboard
from spawner.states import ProcessKind
from spawner.world import Feed, World

_QUEUE_PAUSE = 0.05  # seconds between two looks at a queue that stays readable (no descriptors left to accept with)
_ERROR_PAGE_LIMIT = 1_048_576  # bytes


class Carrier:
    """One method per kind of effect. None of them raises for what an app, its files or the machine's limits do."""

    def __init__(self, loop: asyncio.AbstractEventLoop, world: World) -> None:
        self.world = world
        self._loop = loop
        self._events: ProcessEvents
        self._feed: Feed
        self._kinds: dict[type, Callable[..., None]] = {
            effects.CreateGroup: self._create_group,
            effects.UpdateGroup: self._update_group,
            effects.DropGroup: self._drop_group,
            effects.StartProcess: self._start_process,
            effects.ForkWorker: self._fork_worker,
            effects.ServeDirect: self._serve_direct,
            effects.Retire: self._retire,
            effects.Terminate: self._terminate,
            effects.Kill: self._kill,
            effects.ForgetProcess: self._forget_process,
            effects.WatchQueue: self._watch_queue,
            effects.UnwatchQueue: self._unwatch_queue,
            effects.FailWaiting: self._fail_waiting,
            effects.DumpStacks: self._not_carried_out,
            effects.Work: self._not_carried_out,
            effects.RunHook: self._not_carried_out,
            effects.NoteDeployment: self._not_carried_out,
            effects.Progress: world.restarts.publish,
            effects.Say: self._say,
        }

    def connect(self, events: ProcessEvents, feed: Feed) -> None:
        """Say where events go that follow from carrying out effects."""
        self._events, self._feed = events, feed

    def carry_out(self, effect: effects.Effect) -> None:
        """Do what the pool wants done."""
        self._kinds[type(effect)](effect)

    def store_changes(self) -> None:
        """Have the descriptor store say what is the case now."""
        self.world.stock.update(self.world.pool, self.world.groups, self.world.processes, self.world.watch)

    # Groups

    def _create_group(self, effect: effects.CreateGroup) -> None:
        """A group without its descriptors is no group: it is closed again, and the registration refused."""
        world = self.world
        registration = world.pool.groups[effect.key].registration
        path = world.instance.app_socket(effect.key)
        try:
            scoreboard = Scoreboard.create()
            try:
                listener = self.make_listener(effect.key)
            except OSError:
                scoreboard.close()
                raise
        except OSError as error:
            world.log.error(3020, "no socket could be made for %s: %s" % (effect.key, error))
            self._feed(world.pool.close, world.pool.groups[effect.key])
            return
        self.add_group(AppGroup(effect.key, path, listener, scoreboard, self._token()))
        world.watch.watch(effect.key, registration.app_root, registration.options.restart_dir)

    def add_group(self, group: AppGroup) -> None:
        """Take a group over whose descriptors are there."""
        self.world.groups[group.key] = group

    def make_listener(self, key: str) -> socket.socket:
        """The socket on which an app's workers accept; the group is in the pool.

        :raises OSError: it cannot be made.
        """
        world = self.world
        backlog = backlog_for(world.pool.groups[key].registration, world.pool.server)
        return world.instance.listen(world.instance.app_socket(key), socket.SOCK_STREAM, 0o600, backlog)

    def replace_listener(self, key: str) -> None:
        """Listen on a new socket: the one before lost its path. Workers take it over with the next restart.

        :raises OSError: it cannot be made.
        """
        group = self.world.groups[key]
        listener = self.make_listener(key)
        if group.queue_watched:
            self._loop.remove_reader(group.listener)
            self._loop.add_reader(listener, self._queue_readable, group)
        group.listener.close()
        group.listener = listener

    def _token(self) -> str:
        return "" if self.world.configuration.accept_plain_scgi else new_token()

    def _update_group(self, effect: effects.UpdateGroup) -> None:
        group, registration = self.world.groups[effect.key], self.world.pool.groups[effect.key].registration
        group.listener.listen(backlog_for(registration, self.world.pool.server))
        self.world.watch.watch(effect.key, registration.app_root, registration.options.restart_dir)
        self.world.stock.forget_group(effect.key)

    def _drop_group(self, effect: effects.DropGroup) -> None:
        group = self.world.groups.pop(effect.key, None)
        self.world.watch.unwatch(effect.key)
        self.world.restarts.group_ended(effect.key)
        if group is None:
            return
        if group.queue_watched:
            self._loop.remove_reader(group.listener)
        group.queue_watched = False
        group.close()
        self.world.instance.remove_socket(group.path)

    # The queue of a group without workers

    def _watch_queue(self, effect: effects.WatchQueue) -> None:
        group = self.world.groups.get(effect.key)
        if group is not None and not group.queue_watched:
            group.queue_watched = True
            self._loop.add_reader(group.listener, self._queue_readable, group)

    def _unwatch_queue(self, effect: effects.UnwatchQueue) -> None:
        group = self.world.groups.get(effect.key)
        if group is not None and group.queue_watched:
            group.queue_watched = False
            self._loop.remove_reader(group.listener)

    def _queue_readable(self, group: AppGroup) -> None:
        self._loop.remove_reader(group.listener)
        self._feed(self.world.pool.queue_readable, group.key)
        if group.queue_watched:
            self._loop.call_later(_QUEUE_PAUSE, self._watch_again, group, group.listener)

    def _watch_again(self, group: AppGroup, listener: socket.socket) -> None:
        if group.queue_watched and group.listener is listener:
            self._loop.add_reader(listener, self._queue_readable, group)

    def _fail_waiting(self, effect: effects.FailWaiting) -> None:
        group = self.world.groups.get(effect.key)
        if group is not None:
            page = self._failure_page(effect.key, effect.failure)
            count = self.world.answers.answer_waiting(group.listener, page)
            self.world.log.debug(3021, "%s: %d requests were answered 500" % (effect.key, count))

    def _failure_page(self, key: str, failure: StartFailure) -> bytes:
        registration = self.world.pool.groups[key].registration
        custom = registration.options.custom_error_page
        if custom:
            try:
                return read_file(custom, self._identity_of(key), _ERROR_PAGE_LIMIT)
            except OSError as error:
                self.world.log.error(3022, "PassengerCustomErrorPage %s: %s" % (custom, error.strerror or error))
        if registration.options.friendly_error_pages:
            return failure_page.friendly_page(registration.app_root, failure)
        return failure_page.short_page(failure)

    def _identity_of(self, key: str) -> Identity:
        """The app's user; without one, nothing is opened.

        :raises OSError: the app has none.
        """
        try:
            return identity_for(self.world.pool.groups[key].registration, self.world.pool.server)
        except StartError as error:
            raise OSError(error.failure.summary) from error

    # Processes

    def _start_process(self, effect: effects.StartProcess) -> None:
        world = self.world
        registration = world.pool.groups[effect.key].registration
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
        process.facts = launched.facts
        process.set_pid(launched.pid)
        self._log_start(effect, launched)

    def _log_start(self, effect: effects.StartProcess, launched: Launched) -> None:
        text = "%s: %s of generation %d started as user %s: process %d"
        values = (effect.key, effect.kind.value, effect.generation, launched.identity.user, launched.pid)
        self.world.log.info(3023, text % values)

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
        logs, pool = self.world.app_logs, self.world.pool
        registration = pool.groups[key].registration

        def sink() -> Optional[LineSink]:
            group = pool.groups.get(key)
            now = group.registration if group is not None else registration
            return logs.sink(now.options.app_log_file, now.app_root, now.error_log, identity)

        app_output = AppOutput(output, 0, sink, lambda: logs.form, self.world.configuration.line_length)
        process = AppProcess(
            self._loop, self._events, process_id, key, kind, generation, slot, identity, line, app_output
        )
        self.world.processes[process_id] = process
        return process

    def send_load(self, process: AppProcess) -> None:
        """Have a process that said hello load its app."""
        world = self.world
        entry, group = world.pool.groups[process.key], world.groups[process.key]
        cap = entry.cap(world.pool.server.max_pool_size, world.pool.server.max_instances_per_app)
        fields = [
            ("type", "load"),
            ("app_root", entry.registration.app_root),
            ("startup_file", entry.registration.startup_file),
            ("group", process.key),
            ("generation", str(process.generation)),
            ("app_token", group.token),
            ("slots", str(SLOTS)),
            ("multiprocess", "1" if cap > 1 else "0"),
            ("server_software", world.parameters.server_software),
        ]
        descriptors = (group.listener.fileno(), group.scoreboard.descriptor, world.parameters.lifeline_fd)
        if not process.line.send(fields, descriptors):
            failure = process.failure(steps.START_LOADER, "the process does not read its control line")
            self._feed(world.pool.start_failed, process.process_id, failure)

    def _fork_worker(self, effect: effects.ForkWorker) -> None:
        preloader = self.world.processes.get(effect.preloader_id)
        try:
            if preloader is None:
                raise OSError("the preloader is gone")
            self._fork(effect, preloader)
        except OSError as error:
            failure = StartFailure(steps.FORK, str(error.strerror or error))
            self._feed(self.world.pool.start_failed, effect.process_id, failure)

    def _fork(self, effect: effects.ForkWorker, preloader: AppProcess) -> None:
        """Send a preloader the ends of a new worker's line and output pipe.

        :raises OSError: there are no descriptors left, or the preloader does not read.
        """
        output, write_end = os.pipe()
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:
            os.close(output)
            os.close(write_end)
            raise
        prepare_line(ours)
        message = [("type", "fork"), ("slot", str(effect.slot))]
        sent = preloader.line.send(message, (theirs.fileno(), write_end))
        theirs.close()
        os.close(write_end)
        if not sent:
            ours.close()
            os.close(output)
            raise OSError("the preloader does not read its control line")
        worker = self.add_process(
            effect.process_id, effect.key, ProcessKind.WORKER, effect.generation, effect.slot, preloader.identity,
            ours, output,
        )  # fmt: skip
        worker.preloader_id, worker.facts = preloader.process_id, preloader.facts

    def _serve_direct(self, effect: effects.ServeDirect) -> None:
        process = self.world.processes[effect.process_id]
        if not process.line.send([("type", "serve"), ("slot", str(effect.slot))]):
            failure = process.failure(steps.ACCEPT, "the process does not read its control line")
            self._feed(self.world.pool.start_failed, effect.process_id, failure)

    def _retire(self, effect: effects.Retire) -> None:
        process = self.world.processes.get(effect.process_id)
        if process is not None:
            process.line.retire()

    def _terminate(self, effect: effects.Terminate) -> None:
        process = self.world.processes.get(effect.process_id)
        if process is not None:
            self.world.log.info(3025, "%s: process %d is to end: %s" % (process.key, process.pid, effect.reason))
            process.terminate()

    def _kill(self, effect: effects.Kill) -> None:
        process = self.world.processes.get(effect.process_id)
        if process is not None:
            self.world.log.notice(3024, "%s: process %d is killed: %s" % (process.key, process.pid, effect.reason))
            process.kill()

    def _forget_process(self, effect: effects.ForgetProcess) -> None:
        process = self.world.processes.pop(effect.process_id, None)
        if process is None:
            return
        if process.alive:  # it failed to come up and is still there
            process.kill()
        process.close()
        group = self.world.groups.get(process.key)
        if group is not None and process.slot is not None:
            group.scoreboard.clear(process.slot)

    def _not_carried_out(self, effect: effects.Effect) -> None:
        self.world.log.debug(3026, "%s" % (effect,))

    def _say(self, effect: effects.Say) -> None:
        """What is wrong with an app goes into its virtual host's log, too: those who can mend it read that one."""
        group = self.world.pool.groups.get(effect.key)
        theirs = group.registration.error_log if group is not None and effect.level in ("error", "warn") else ""
        self.world.log.say(effect.level, effect.number, effect.text, theirs)
