"""Effects on app groups: their sockets and scoreboards, the queue of a group without workers, answers of failures."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import socket
import time
from typing import Callable, Mapping

from spawner.admin.restart_command import RestartProgress
from spawner.daemon.descriptor_exhaustion import DescriptorExhaustion
from spawner.daemon.event_dispatcher import Dispatch, EffectHandler
from spawner.logs.log import Log
from spawner.pages.error_responder import ErrorResponder
from spawner.pages.start_error_page import ErrorResponse, friendly_response, short_response
from spawner.pool import effects
from spawner.pool.group import Group
from spawner.pool.pool import Pool
from spawner.processes.app_process import AppRegistry
from spawner.processes.group_resources import GroupResources, backlog_for, new_token
from spawner.processes.launcher import StartError, identity_for
from spawner.processes.scoreboard_reader import ScoreboardReader
from spawner.start_failure import StartFailure
from spawner.state_store.instance_directory import InstanceDirectory
from spawner.state_store.state_store import StateStore
from spawner.system.open_as_user import read_file
from spawner.watching.restart_watch import RestartWatch

_QUEUE_PAUSE = 0.05  # seconds until a queue is looked at again that stays readable
_QUEUE_PAUSE_WITHOUT_DESCRIPTORS = 1.0  # seconds
_LONGEST_ERROR_PAGE = 1_048_576  # bytes


class GroupEffects:
    """One method for each kind of effect. None of them raises for the fault of an app or of the machine.

    :param registry: the resources of groups are attached to it and detached.
    :param plain_scgi: whether workers answer SCGI clients that do not know the app's token.
    :param forget_limits: called with the key of a group that is dropped.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        registry: AppRegistry,
        dispatch: Dispatch,
        log: Log,
        instance: InstanceDirectory,
        state_store: StateStore,
        restart_watch: RestartWatch,
        restarts: RestartProgress,
        error_responder: ErrorResponder,
        descriptors: DescriptorExhaustion,
        plain_scgi: bool,
        forget_limits: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._registry = registry
        self._dispatch = dispatch
        self._log = log
        self._instance = instance
        self._state_store = state_store
        self._restart_watch = restart_watch
        self._restarts = restarts
        self._error_responder = error_responder
        self._descriptors = descriptors
        self._plain_scgi = plain_scgi
        self._forget_limits = forget_limits
        self.handlers: Mapping[type, EffectHandler] = {
            effects.CreateGroup: self._create_group,
            effects.UpdateGroup: self._update_group,
            effects.DropGroup: self._drop_group,
            effects.WatchQueue: self._watch_queue,
            effects.UnwatchQueue: self._unwatch_queue,
            effects.FailWaiting: self._fail_waiting,
        }

    # Socket and scoreboard

    def _create_group(self, effect: effects.CreateGroup) -> None:
        """A group without its descriptors cannot be used: it is closed again, and the registration is refused."""
        group = self._registry.groups.entries[effect.key]
        token = "" if self._plain_scgi else new_token()
        path = self._instance.app_socket(effect.key, token)
        try:
            scoreboard = ScoreboardReader.create()
            try:
                listener = self._make_listener(group, path)
            except OSError:
                scoreboard.close()
                raise
        except OSError as error:
            self._log.error(3020, "cannot make the socket of an app: %s: %s" % (effect.key, error))
            self._dispatch(self._pool.close_group, effect.key)
            return
        self._registry.groups.attach(effect.key, GroupResources(effect.key, path, listener, scoreboard, token))
        self._watch_restart_file(group)

    def _make_listener(self, group: Group, path: str) -> socket.socket:
        """The socket at which an app's workers accept.

        :raises OSError: it cannot be made.
        """
        backlog = backlog_for(group.registration, self._pool.server)
        return self._instance.listen(path, socket.SOCK_STREAM, 0o600, backlog)

    def replace_listener(self, key: str) -> None:
        """Listen at a new socket: the path of the old one was removed. Workers use the new one after a restart.

        :raises OSError: it cannot be made.
        """
        self._listen_anew(key, self._registry.groups.handles[key].path).close()

    def renew_address(self, key: str) -> socket.socket:
        """Listen at a new path, with a new token; processes that start from now on get these, and nobody else.

        Children of httpd that know the old address do not find it, and ask for the new one. Without a token the path
        stays: clients that are not ours know it.

        :returns: the old socket, which the caller closes.
        :raises OSError: the new one cannot be made.
        """
        resources = self._registry.groups.handles[key]
        token = new_token() if resources.token else ""
        old, path = resources.path, self._instance.app_socket(key, token)
        listener = self._listen_anew(key, path)
        for process in [one for one in self._registry.processes.handles.values() if one.key == key]:
            for route in process.routes:
                self._instance.remove_worker_socket(old, route)
            process.routes = ()
            self._state_store.mark_process(process.process_id)
        resources.path, resources.token = path, token
        if path != old:
            # When the descriptor store has the new one: a spawner that follows now would not find the app.
            self._loop.call_soon(self._instance.remove_socket, old)
        return listener

    def _listen_anew(self, key: str, path: str) -> socket.socket:
        """Listen at a new socket; processes that start from now on get this one.

        :returns: the old one.
        :raises OSError: the new one cannot be made.
        """
        resources = self._registry.groups.handles[key]
        listener = self._make_listener(self._registry.groups.entries[key], path)
        if resources.queue_watched:
            self._loop.remove_reader(resources.listener)
            self._loop.add_reader(listener, self._queue_readable, resources)
        old, resources.listener = resources.listener, listener
        self._state_store.mark_group(key)
        return old

    def _update_group(self, effect: effects.UpdateGroup) -> None:
        resources, group = self._registry.groups.handles[effect.key], self._registry.groups.entries[effect.key]
        resources.listener.listen(backlog_for(group.registration, self._pool.server))
        self._watch_restart_file(group)
        self._state_store.mark_group(effect.key)

    def _watch_restart_file(self, group: Group) -> None:
        registration = group.registration
        self._restart_watch.watch(group.key, registration.app_root, registration.options.restart_dir)

    def _drop_group(self, effect: effects.DropGroup) -> None:
        resources = self._registry.groups.detach(effect.key)
        self._restart_watch.unwatch(effect.key)
        self._restarts.group_removed(effect.key)
        self._forget_limits(effect.key)
        if resources is None:
            return
        if resources.queue_watched:
            self._loop.remove_reader(resources.listener)
        resources.queue_watched = False
        resources.close()
        self._instance.remove_socket(resources.path)

    # The queue of a group without workers

    def _watch_queue(self, effect: effects.WatchQueue) -> None:
        resources = self._registry.groups.handle(effect.key)
        if resources is not None and not resources.queue_watched:
            resources.queue_watched = True
            self._loop.add_reader(resources.listener, self._queue_readable, resources)

    def _unwatch_queue(self, effect: effects.UnwatchQueue) -> None:
        resources = self._registry.groups.handle(effect.key)
        if resources is not None and resources.queue_watched:
            resources.queue_watched = False
            self._loop.remove_reader(resources.listener)

    def _queue_readable(self, resources: GroupResources) -> None:
        self._loop.remove_reader(resources.listener)
        # Without descriptors neither a start is possible nor an answer.
        possible = self._descriptors.can_start_process()
        if possible:
            self._dispatch(self._pool.queue_readable, resources.key)
        if resources.queue_watched:
            pause = _QUEUE_PAUSE if possible else _QUEUE_PAUSE_WITHOUT_DESCRIPTORS
            self._loop.call_later(pause, self._watch_again, resources, resources.listener)

    def _watch_again(self, resources: GroupResources, listener: socket.socket) -> None:
        if resources.queue_watched and resources.listener is listener:
            self._loop.add_reader(listener, self._queue_readable, resources)

    # Answers when an app does not start

    def _fail_waiting(self, effect: effects.FailWaiting) -> None:
        resources = self._registry.groups.handle(effect.key)
        if resources is not None:
            response = self._error_response(self._registry.groups.entries[effect.key], effect.failure)
            self._error_responder.answer_waiting(resources.listener, response, self._log_answers(effect.key))

    def _log_answers(self, key: str) -> Callable[[int], None]:
        return lambda count: self._log.debug(3021, "answered 500: %d requests of %s" % (count, key))

    def _error_response(self, group: Group, failure: StartFailure) -> ErrorResponse:
        registration = group.registration
        retry_after = max(1, math.ceil(group.backoff.retry_at - time.monotonic()))
        if registration.options.friendly_error_pages:
            response = friendly_response(registration, failure, retry_after)
        else:
            response = short_response(failure, retry_after)
        custom = registration.options.custom_error_page
        if custom:
            try:
                page = self._read_as_app_user(group, custom)
                response = dataclasses.replace(response, html=page, operators_own=True)
            except OSError as error:
                text = "PassengerCustomErrorPage cannot be read as the app's user: %s: %s"
                self._log.write("error", 3022, text % (custom, error.strerror or error), registration.error_log)
        return response

    def _read_as_app_user(self, group: Group, path: str) -> bytes:
        """Read a file with the rights of the app's user; if the app has no user, none is opened.

        :raises OSError: it cannot be read.
        """
        try:
            identity = identity_for(group.registration, self._pool.server)
        except StartError as error:
            raise OSError(error.failure.summary) from error
        return read_file(path, identity, _LONGEST_ERROR_PAGE)
