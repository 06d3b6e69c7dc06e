"""The spawner daemon: makes the parts, connects them, and runs until httpd ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from typing import Callable, Mapping, Optional

from spawner import spawner_conf
from spawner.admin.command import Command
from spawner.admin.command_table import make_commands
from spawner.admin.restart_command import RestartProgress
from spawner.admin.status_command import InstanceFacts
from spawner.daemon.descriptor_exhaustion import DescriptorExhaustion
from spawner.daemon.directory_guard import DirectoryGuard
from spawner.daemon.end_conditions import EndConditions
from spawner.daemon.event_dispatcher import EventDispatcher
from spawner.daemon.group_effects import GroupEffects
from spawner.daemon.htaccess_apps import HtaccessApps
from spawner.daemon.httpd_events import HttpdEventHandlers
from spawner.daemon.log_configuration import LogConfiguration
from spawner.daemon.notification_effects import NotificationEffects
from spawner.daemon.pool_events import PoolEvents
from spawner.daemon.process_effects import ProcessEffects
from spawner.daemon.process_events import ProcessEventHandlers
from spawner.daemon.process_factory import ProcessFactory
from spawner.daemon.process_starter import ProcessStarter
from spawner.daemon.recovery import Recovery
from spawner.daemon.server_sockets import ServerSockets
from spawner.daemon.shutdown import end_apps
from spawner.daemon.start_messages import LoadSender
from spawner.daemon.start_timeouts import StartTimeouts
from spawner.daemon.user_change import UserChange
from spawner.httpd.parent_line import ParentLine, StartParameters
from spawner.httpd.registrar import Registrar
from spawner.logs.app_logs import AppLogs
from spawner.logs.log import Log
from spawner.options import ServerOptions
from spawner.pages.error_responder import ErrorResponder
from spawner.pages.restart_error_file import RestartErrorFiles
from spawner.pool.pool import Pool
from spawner.processes.app_cgroups import AppCgroups
from spawner.processes.app_process import AppRegistry
from spawner.processes.helper_process import HelperProcesses
from spawner.processes.hooks import Hooks
from spawner.processes.launcher import Launcher
from spawner.processes.process_tree import ProcessTrees
from spawner.processes.reaper import Reaper
from spawner.processes.stack_capture import StackCapture
from spawner.state_store import instance_directory
from spawner.state_store.descriptor_store import DescriptorStore
from spawner.state_store.instance_directory import InstanceDirectory
from spawner.state_store.state_store import StateStore
from spawner.system import cgroups
from spawner.system.process_limits import InheritedLimits
from spawner.watching.memory_reader import MemoryReader
from spawner.watching.memory_sampler import MemorySampler
from spawner.watching.restart_watch import FolderEvents, InotifyFolders, RestartWatch
from spawner.watching.scoreboard_sampler import SamplingIntervals, ScoreboardSampler

_LOG_FLUSH = 1.0  # seconds between two attempts to write lines that a log did not take
_DIRECTORY_CHECK = 1.0  # seconds between two checks of the instance folder
_HEARTBEAT = 1.0  # seconds; httpd's parent looks for it every 10 seconds or so
_LAST_ANSWERS = 0.1  # seconds for answers to requests of failed apps that are being sent at the end


class Daemon:
    """The spawner of one httpd, from its start to its end.

    :param parameters: the daemon owns their descriptors.
    :param log: where lines go until httpd has sent its logs.
    :param limits: those that apps get, which are not the spawner's own.
    :raises SpawnerConfError: spawner.conf is wrong.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, parameters: StartParameters, log: Log, limits: InheritedLimits
    ) -> None:
        settings = spawner_conf.load(parameters.spawner_config)
        self._loop = loop
        self._parameters = parameters
        self._settings = settings
        self._log = log
        self._started = time.time()
        self._timers: list[asyncio.TimerHandle] = []

        self._registry: AppRegistry = AppRegistry()
        parallel_starts = settings.parallel_starts or len(os.sched_getaffinity(0))
        self._pool = Pool(
            ServerOptions(),
            parallel_starts,
            lambda process: self._scoreboard_sampler.is_busy(process),
            registry=self._registry,
            disabled_capabilities=settings.disabled_capabilities,
        )
        self._dispatcher = EventDispatcher(loop, self._pool)
        self._pool_events = PoolEvents(self._pool, self._dispatcher.dispatch)
        self._app_logs = AppLogs(log)
        self._logs = LogConfiguration(log, self._app_logs)
        self._descriptors = DescriptorExhaustion(loop, log)
        self._reaper = Reaper()
        self._end_conditions = EndConditions(loop, self._pool, self._registry, self._reaper, parameters.lifeline_fd)
        self._helpers = HelperProcesses(loop, self._reaper, limits)
        self._hooks = Hooks(self._helpers, log)
        self._error_responder = ErrorResponder(loop, settings.answer_timeout)
        self._restarts = RestartProgress()
        owner = (parameters.apache_uid, parameters.apache_gid)
        self._instance = InstanceDirectory(parameters.instance_dir, parameters.httpd_pid, *owner)
        self._state_store = self._make_state_store()
        self._restart_watch = self._make_restart_watch()
        self._memory = MemoryReader(loop)
        self._memory_sampler = self._make_memory_sampler()
        self._scoreboard_sampler = self._make_scoreboard_sampler()
        self._stacks = StackCapture(loop, self._registry, self._instance.folder)
        dispatch = self._dispatcher.dispatch
        self._start_timeouts = StartTimeouts(loop, self._pool, self._registry, self._stacks, dispatch)
        self._trees = ProcessTrees(loop, AppCgroups(loop, log, cgroups.make_folder(self._instance.name)))
        self._factory = self._make_factory()
        self._starter = self._make_starter(limits)
        self._group_effects = self._make_group_effects()
        self._connect_dispatcher()
        self._sockets = self._make_sockets()
        self._guard = self._make_guard()
        self._httpd_events = self._make_httpd_events()

    # The parts

    def _make_state_store(self) -> StateStore:
        parameters = self._parameters
        head, tail = socket.socket(fileno=parameters.store_fd), socket.socket(fileno=parameters.store_fd_write)
        return StateStore(DescriptorStore(head, tail), self._log, lambda key: self._restart_watch.state_of(key))

    def _make_restart_watch(self) -> RestartWatch:
        return RestartWatch(
            self._loop,
            self._pool_events.restart,
            self._folder_events(),
            ServerOptions().stat_throttle_rate,
            self._pool_events.set_always_restart,
            self._state_store.mark_group,
        )

    def _folder_events(self) -> Optional[FolderEvents]:
        text = "inotify cannot be used, restart files are checked every PassengerStatThrottleRate seconds only: %s"
        try:
            return InotifyFolders(lambda reason: self._log.warn(3040, text % reason))
        except OSError as error:
            self._log.warn(3041, text % error)
            return None

    def _make_memory_sampler(self) -> MemorySampler:
        interval, on_sample = self._settings.memory_interval, self._pool_events.on_memory_sample
        return MemorySampler(self._loop, self._registry, self._memory, interval, on_sample, self._log)

    def _make_scoreboard_sampler(self) -> ScoreboardSampler:
        settings = self._settings
        intervals = SamplingIntervals(settings.active_interval, settings.idle_interval, settings.active_window)
        on_samples = self._pool_events.on_scoreboard_samples
        return ScoreboardSampler(self._loop, self._registry, intervals, on_samples)

    def _make_factory(self) -> ProcessFactory:
        parameters = self._parameters
        server_software, lifeline = parameters.server_software, parameters.lifeline_fd
        known = (self._pool, self._registry, self._instance, self._state_store)
        load_sender = LoadSender(*known, server_software, lifeline)
        events = ProcessEventHandlers(
            self._loop,
            self._pool,
            self._registry,
            self._dispatcher.dispatch,
            self._log,
            load_sender,
            self._start_timeouts,
            self._state_store,
            self._reaper,
            self._end_conditions.check_lifeline,
        )
        line_length = self._settings.line_length
        return ProcessFactory(self._loop, self._registry, events, self._app_logs, self._start_timeouts, line_length)

    def _make_starter(self, limits: InheritedLimits) -> ProcessStarter:
        return ProcessStarter(
            self._loop,
            self._pool,
            self._registry,
            self._factory,
            self._dispatcher.dispatch,
            self._log,
            Launcher(self._instance.loaders, self._parameters.server_software, limits),
            self._trees,
            self._make_user_change(),
            self._instance,
            self._descriptors,
        )

    def _make_user_change(self) -> UserChange:
        known = (self._loop, self._pool, self._registry, self._dispatcher.dispatch, self._log)
        return UserChange(*known, lambda key: self._group_effects.renew_address(key))

    def _make_group_effects(self) -> GroupEffects:
        return GroupEffects(
            self._loop,
            self._pool,
            self._registry,
            self._dispatcher.dispatch,
            self._log,
            self._instance,
            self._state_store,
            self._restart_watch,
            self._restarts,
            self._error_responder,
            self._descriptors,
            self._settings.accept_plain_scgi,
            self._trees.apps.forget,
        )

    def _connect_dispatcher(self) -> None:
        error_files = RestartErrorFiles(self._helpers, self._log)
        notifications = NotificationEffects(self._pool, self._log, self._hooks, error_files, self._restarts)
        processes = ProcessEffects(self._registry, self._starter, self._log, self._stacks, self._instance)
        handlers = {
            **self._group_effects.handlers,
            **self._starter.handlers,
            **processes.handlers,
            **notifications.handlers,
        }
        self._dispatcher.connect(handlers, self._start_timeouts.report_late, self._after_event)

    def _make_sockets(self) -> ServerSockets:
        return ServerSockets(self._loop, self._instance, self._descriptors, self._make_registrar, self._commands())

    def _make_registrar(self, listener: socket.socket) -> Registrar:
        return Registrar(
            self._loop,
            listener,
            self._parameters.apache_uid,
            self._parameters.token,
            self._log,
            self._httpd_events.register,
            self._httpd_events.on_queue_full,
            self._sockets.descriptors_exhausted,
        )

    def _commands(self) -> Mapping[str, Command]:
        parameters = self._parameters
        return make_commands(
            pool=self._pool,
            registry=self._registry,
            facts=InstanceFacts(
                self._instance.name,
                parameters.httpd_pid,
                parameters.server_root,
                parameters.server_software,
                self._started,
            ),
            memory=self._memory,
            stacks=self._stacks,
            restart_progress=self._restarts,
            restart=self._pool_events.restart_for_command,
            detach=self._pool_events.detach_process,
            sample=self._scoreboard_sampler.sample,
            reopen_logs=self._logs.reopen,
        )

    def _make_guard(self) -> DirectoryGuard:
        return DirectoryGuard(
            self._instance,
            self._registry,
            self._log,
            self._make_folder,
            self._sockets.make_again,
            self._group_effects.replace_listener,
            self._pool_events.restart,
        )

    def _make_httpd_events(self) -> HttpdEventHandlers:
        limits = (self._parameters.apache_uid, self._settings.htaccess_apps)
        return HttpdEventHandlers(
            self._loop,
            self._pool,
            self._registry,
            self._dispatcher.dispatch,
            self._log,
            self._logs,
            self._restart_watch,
            self._hooks,
            self._open_sockets,
            self._guard.check,
            self._settings.prestart_timeout,
            HtaccessApps(self._pool, self._dispatcher.dispatch, *limits),
        )

    def _after_event(self) -> None:
        changes = self._pool.take_changes()
        self._state_store.update(self._registry, changes)
        self._scoreboard_sampler.groups_changed(changes.groups)
        self._memory_sampler.groups_changed(changes.groups)

    # The run

    async def run(self) -> None:
        """Run until httpd ends or a signal says so, then end every app.

        :raises OperatorError: the instance folder cannot be made.
        """
        self._make_folder()
        instance_directory.remove_stale_instances(
            self._instance.registry,
            self._instance.folder,
            lambda name: self._log.notice(3042, "removed the folder of an instance that has ended: %s" % name),
        )
        self._end_conditions.watch()
        line = ParentLine(
            self._loop,
            self._parameters.control_fd,
            self._log,
            self._httpd_events.on_configuration,
            self._end_conditions.control_line_ended,
            self._sockets.descriptors_exhausted,
        )
        self._repeat(_LOG_FLUSH, self._logs.flush)
        self._repeat(_DIRECTORY_CHECK, self._check_directory)
        self._repeat(_HEARTBEAT, line.send_heartbeat)
        try:
            reason = await self._end_conditions.reason
            self._log.notice(3043, "the spawner ends: %s" % reason)
        finally:
            line.close()
            await self._shut_down()

    def _make_folder(self) -> None:
        self._instance.create(self._parameters.server_root, self._started)

    def _open_sockets(self) -> None:
        """With the first configuration: take over what an earlier spawner has left, then listen."""
        if not self._sockets.is_open:
            Recovery(
                self._pool,
                self._registry,
                self._factory,
                self._dispatcher.dispatch,
                self._log,
                self._state_store,
                self._instance,
                self._restart_watch,
                self._start_timeouts,
                self._trees,
            ).run()
            self._sockets.open()

    def _check_directory(self) -> None:
        if self._sockets.is_open:
            self._guard.check()

    def _repeat(self, interval: float, action: Callable[[], None]) -> None:
        """Call an action every `interval` seconds, until the end."""

        def again() -> None:
            self._timers[position] = self._loop.call_later(interval, again)
            action()

        position = len(self._timers)
        self._timers.append(self._loop.call_later(interval, again))

    async def _shut_down(self) -> None:
        """End every app; the instance folder is removed last."""
        for timer in self._timers:
            timer.cancel()
        await self._sockets.close()
        self._httpd_events.close()
        self._restart_watch.close()
        self._scoreboard_sampler.close()
        self._memory_sampler.close()
        self._memory.close()
        await end_apps(
            self._registry.processes.handles,
            self._end_conditions.sessions,
            self._hooks,
            lambda deadline: self._dispatcher.dispatch(self._pool.shut_down, deadline),
            self._starter.close,
            self._trees,
            self._settings.shutdown_grace,
        )
        self._dispatcher.close()
        self._hooks.close()
        self._helpers.close()
        await self._error_responder.finish(_LAST_ANSWERS)
        self._reaper.collect()
        self._instance.remove()
        self._state_store.close()
        self._end_conditions.close()
        with contextlib.suppress(OSError):
            os.close(self._parameters.lifeline_fd)
