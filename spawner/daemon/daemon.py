"""The spawner daemon: makes the parts, connects them, runs until httpd ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import time
import traceback
from typing import Any, Optional

from spawner import spawner_conf
from spawner.admin.admin import AdminSocket
from spawner.admin.commands.refusals import Failed
from spawner.admin.commands.table import make_commands
from spawner.daemon.directory_guard import DirectoryGuard
from spawner.daemon.effect_handlers import EffectHandlers
from spawner.daemon.event_loop import EventLoop
from spawner.daemon.recovery import adopt
from spawner.daemon.shutdown import end_apps
from spawner.daemon.world import World
from spawner.errors import OperatorError
from spawner.httpd import prestart
from spawner.httpd.control import ParentLine, ServerConfiguration
from spawner.httpd.parameters import Parameters
from spawner.httpd.registrar import Registrar
from spawner.logs.app_logs import AppLogs
from spawner.logs.log import Log
from spawner.options import ServerOptions
from spawner.pages.deployment_notes import DeploymentNotes
from spawner.pages.failure_answer import FailureAnswers
from spawner.pool.pool import Pool
from spawner.pool.registration import Registration
from spawner.processes import stray_processes
from spawner.processes.helper_process import HelperProcesses
from spawner.processes.hooks import Hooks
from spawner.processes.launcher import Launcher
from spawner.processes.reaper import Reaper
from spawner.processes.stack_capture import Stacks
from spawner.state_store import instance_directory
from spawner.state_store.descriptor_store import DescriptorStore
from spawner.state_store.instance_directory import InstanceDirectory
from spawner.state_store.state_store import StateStore
from spawner.system.descriptor_exhaustion import DescriptorExhaustion
from spawner.system.oom_score import Inherited
from spawner.watching.memory_reader import MemoryReader
from spawner.watching.memory_watch import MemoryWatch
from spawner.watching.restart_watch import FolderEvents, InotifyFolders, RestartWatch
from spawner.watching.sampling import Sampler

_LOG_FLUSH = 1.0  # seconds between attempts at logs that did not take their lines
_FOLDER_CHECK = 1.0  # seconds between looks whether the instance folder is still complete
_BEAT = 1.0  # seconds between signs of life; httpd's parent looks for them every 10 seconds or so
_REGISTRATION_BACKLOG = 511


class Daemon:
    """Everything, for as long as it runs.

    :param log: where lines go until httpd has handed its logs over.
    :param inherited: what apps get back of what the spawner has changed for itself.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, parameters: Parameters, log: Log, inherited: Inherited
    ) -> None:
        self._loop = loop
        self._parameters = parameters
        self._log = log
        self._started = time.time()
        self._ending: asyncio.Future[str] = loop.create_future()
        self._registrar: Optional[Registrar] = None
        self._admin: Optional[AdminSocket] = None
        self._prestarts: set[asyncio.Task[None]] = set()
        self._sessions: dict[int, int] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self.world = self._make_world(spawner_conf.load(parameters.spawner_config), inherited)
        self._carrier = EffectHandlers(loop, self.world)
        self._engine = EventLoop(loop, self._carrier)
        self._sampler = Sampler(loop, self.world, self._engine.feed)
        interval = self.world.configuration.memory_interval
        self._memory = MemoryWatch(loop, self.world, self._engine.feed, self.world.memory, interval)
        self._engine.on_idle = self._wake_watches
        self._engine.before_end = self._look_at_lifeline
        self._keeper = DirectoryGuard(self.world, self._carrier, self._make_folder, self._listen_anew, self._restart)

    def _make_world(self, settings: spawner_conf.SpawnerConf, inherited: Inherited) -> World:
        parameters, log, reaper = self._parameters, self._log, Reaper()
        short_processes = HelperProcesses(self._loop, reaper, inherited)
        owner = (parameters.apache_uid, parameters.apache_gid)
        folder = InstanceDirectory(parameters.instance_dir, parameters.httpd_pid, *owner)
        head, tail = socket.socket(fileno=parameters.store_fd), socket.socket(fileno=parameters.store_fd_write)
        return World(
            parameters=parameters,
            configuration=settings,
            log=log,
            app_logs=AppLogs(log),
            instance=folder,
            launcher=Launcher(folder.start_program, parameters.server_software, inherited),
            pool=Pool(
                ServerOptions(),
                settings.parallel_starts or len(os.sched_getaffinity(0)),
                lambda process: self._sampler.is_busy(process),
            ),
            stock=StateStore(DescriptorStore(head, tail), log),
            watch=RestartWatch(
                self._loop,
                self._restart,
                self._folder_events(),
                ServerOptions().stat_throttle_rate,
                self._always_restart,
            ),
            answers=FailureAnswers(self._loop, settings.answer_timeout),
            reaper=reaper,
            short_processes=short_processes,
            hooks=Hooks(short_processes, log),
            notes=DeploymentNotes(short_processes, log),
            scarcity=DescriptorExhaustion(self._loop, log),
            stacks=Stacks(self._loop, lambda: self.world.processes, folder.loaders),
            memory=MemoryReader(self._loop),
        )

    def _folder_events(self) -> Optional[FolderEvents]:
        text = "restart files are found by looking every PassengerStatThrottleRate seconds: inotify: %s"
        try:
            return InotifyFolders(lambda reason: self._log.warn(3040, text % reason))
        except OSError as error:
            self._log.warn(3041, text % error)
            return None

    async def run(self) -> None:
        """Run until httpd ends or a signal says so, then end every app.

        :raises OperatorError: the instance folder cannot be made.
        """
        world = self.world
        self._make_folder()
        instance_directory.remove_stale_instances(
            world.instance.registry,
            world.instance.folder,
            lambda name: self._log.notice(3042, "removed stale %s" % name),
        )
        self._handle_signals()
        control = self._parameters.control_fd
        line = ParentLine(
            self._loop, control, self._log, self._committed, self._parent_left, self._no_descriptors
        )
        self._loop.add_reader(self._parameters.lifeline_fd, self._lifeline_readable)
        self._repeat(_LOG_FLUSH, self._flush_logs)
        self._repeat(_FOLDER_CHECK, self._check_folder)
        self._repeat(_BEAT, line.beat)
        try:
            reason = await self._ending
            self._log.notice(3043, "ending: %s" % reason)
        finally:
            line.close()
            await self._shut_down()

    # What comes from outside

    def _handle_signals(self) -> None:
        """Handlers, not SIG_IGN: what is ignored would stay ignored in every app."""
        self._loop.add_signal_handler(signal.SIGCHLD, self.world.reaper.collect)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end, "signal %d" % number)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
            self._loop.add_signal_handler(number, lambda: None)

    def _end(self, reason: str) -> None:
        if not self._ending.done():
            # Before the first of them has gone.
            self._sessions = stray_processes.sessions_of(self.world.processes.values())
            self._ending.set_result(reason)

    def _parent_left(self) -> None:
        self._end("httpd has closed the control line")

    def _lifeline_readable(self) -> None:
        """Nobody writes to the lifeline: it is readable when httpd has ended."""
        self._loop.remove_reader(self._parameters.lifeline_fd)
        self._end("httpd has ended")

    def _look_at_lifeline(self) -> None:
        """When httpd ends, apps end by themselves, and that may be heard of first: it is no fault of theirs."""
        poll = select.poll()
        poll.register(self._parameters.lifeline_fd, select.POLLIN)
        if not self.world.pool.ending and poll.poll(0):
            self._end("httpd has ended")
            self.world.pool.shut_down(time.monotonic())

    def _committed(self, new: ServerConfiguration) -> None:
        """A configuration is complete. The first one makes the spawner open for registrations."""
        world, options = self.world, new.options
        self._log.keep_named(set(new.logs))
        for name, descriptor in new.take_logs().items():
            if name == "":
                _use_for_output(descriptor)
            self._log.set_named(name, descriptor)
        self._log.level = options.log_level
        try:
            self._log.set_own_path(options.log_file)
        except OSError as error:
            self._log.error(3044, "PassengerLogFile %s cannot be opened: %s" % (options.log_file, error.strerror))
        world.app_logs.configure(options.log_level, not options.disable_log_prefix, bool(options.log_file))
        world.watch.poll_every = max(1.0, options.stat_throttle_rate)
        world.hooks.configure(new.hooks)
        self._engine.feed(world.pool.configure, options, new.epoch, frozenset(new.vhost_ids))
        if self._registrar is None:
            self._open()
        self._log.notice(3045, "configuration %d is in force" % new.epoch)
        for url in new.prestart:
            self._prestart(url)

    def _open(self) -> None:
        """Take over what an earlier spawner left, then listen."""
        found = self._adopt()
        if found:
            processes = len(self.world.processes)
            self._log.notice(3046, "took over %d apps with %d processes from the spawner before" % (found, processes))
        self._registrar = Registrar(
            self._loop,
            self._listen_for_registrations(),
            self._parameters.apache_uid,
            self._parameters.token,
            self._log,
            self._register,
            self._overflowed,
            self._no_descriptors,
        )
        commands = make_commands(
            self.world, self._engine.feed, self._sampler.look, self._reopen_logs, self._started
        )
        self._admin = AdminSocket(self._loop, self._listen_for_commands(), self._log, commands, self._no_descriptors)

    def _adopt(self) -> int:
        """Take over what there is, as far as it goes: without the registration socket httpd has no apps at all."""
        try:
            return adopt(self.world, self._carrier, self._engine)
        except Exception:  # noqa: BLE001 - a boundary: what one app has left must not be the end of all others
            text = "a defect of the spawner: not everything could be taken over from the one before:\n%s"
            self._log.error(3112, text % traceback.format_exc().rstrip())
            return len(self.world.groups)

    def _listen_for_registrations(self) -> socket.socket:
        folder = self.world.instance
        return folder.listen(folder.spawner_socket, socket.SOCK_SEQPACKET, 0o600, _REGISTRATION_BACKLOG)

    def _listen_for_commands(self) -> socket.socket:
        folder = self.world.instance
        return folder.listen(folder.admin_socket, socket.SOCK_STREAM, 0o666, 16)

    def _register(self, registration: Registration) -> tuple[str, str]:
        """A child of httpd asks for an app's socket.

        :raises OperatorError: the socket cannot be made.
        """
        self._engine.feed(self.world.pool.register, registration)
        group = self.world.groups.get(registration.key)
        if group is None:
            raise OperatorError("no socket could be made for it; the log of the spawner says why")
        if not os.path.lexists(group.path):  # a cleaner took it: whoever asks again has not found it
            self._keeper.look()
        return group.path, group.token

    def _reopen_logs(self) -> list[str]:
        """Open anew what was opened here; what httpd has opened comes anew with its next (graceful) restart.

        :raises Failed: PassengerLogFile cannot be opened; lines go where they went before.
        """
        path = self.world.pool.server.log_file
        try:
            self._log.set_own_path(path)
        except OSError as error:
            raise Failed("PassengerLogFile %s cannot be opened: %s" % (path, error.strerror)) from error
        return ([path] if path else []) + self.world.app_logs.reopen()

    def _overflowed(self, key: str, count: int) -> None:
        """A child of httpd has answered requests of an app 503."""
        if key in self.world.pool.groups:
            self._engine.feed(self.world.pool.queue_overflowed, key, count)

    def _no_descriptors(self, error: OSError) -> None:
        self.world.scarcity.met("whoever asks for something waits", error)

    def _wake_watches(self) -> None:
        self._sampler.wake()
        self._memory.wake()

    def _restart(self, key: str) -> None:
        if key in self.world.pool.groups:
            self._engine.feed(self.world.pool.restart, key)

    def _always_restart(self, key: str, on: bool) -> None:
        """An app's always_restart.txt has come or gone."""
        if key in self.world.pool.groups:
            self._engine.feed(self.world.pool.set_always_restart, key, on)

    def _prestart(self, url: str) -> None:
        task = self._loop.create_task(prestart.prestart(url, self.world.configuration.prestart_timeout, self._log))
        self._prestarts.add(task)
        task.add_done_callback(self._prestarts.discard)

    # What comes round

    def _repeat(self, seconds: float, action: Any) -> None:
        def again() -> None:
            self._timers[position] = self._loop.call_later(seconds, again)
            action()

        position = len(self._timers)
        self._timers.append(self._loop.call_later(seconds, again))

    def _flush_logs(self) -> None:
        self._log.flush()
        self.world.app_logs.flush()

    def _check_folder(self) -> None:
        if self._admin is not None:
            self._keeper.look()

    def _make_folder(self) -> None:
        self.world.instance.create(self._parameters.server_root, self._started)

    def _listen_anew(self, path: str) -> None:
        if self._registrar is not None and path == self.world.instance.spawner_socket:
            self._registrar.replace_listener(self._listen_for_registrations())
        if self._admin is not None and path == self.world.instance.admin_socket:
            self._admin.replace_listener(self._listen_for_commands())

    # The end

    async def _shut_down(self) -> None:
        """End every app: first they may finish, then they are killed; the instance folder goes last."""
        world = self.world
        for timer in self._timers:
            timer.cancel()
        if self._registrar is not None:
            self._registrar.close()
        if self._admin is not None:
            await self._admin.close()
        for task in list(self._prestarts):
            task.cancel()
        world.watch.close()
        self._sampler.close()
        self._memory.close()
        world.memory.close()
        await end_apps(world, self._engine, self._carrier.processes, self._sessions)
        await world.answers.finish(0.1)
        world.reaper.collect()
        world.instance.remove()
        world.stock.close()
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)
        with contextlib.suppress(OSError):
            os.close(self._parameters.lifeline_fd)


def _use_for_output(descriptor: int) -> None:
    """Have what is written past the spawner's log (by the interpreter, by libraries) go to httpd's log of the moment:
    what this process was started with is, after a rotation, the one before."""
    for standard in (1, 2):
        os.dup2(descriptor, standard)
