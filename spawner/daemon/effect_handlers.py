"""Carries the pool's effects out: sockets, hooks, log lines; those on processes are ProcessEffects's."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import socket
import time
from typing import Callable

from spawner.daemon.process_effects import ProcessEffects
from spawner.daemon.world import Feed, World
from spawner.errors import StartFailure
from spawner.pages.failure_page import FailureResponse, friendly_response, short_response
from spawner.pool import effects
from spawner.processes.app_process import ProcessEvents
from spawner.processes.group_resources import GroupResources, backlog_for, new_token
from spawner.processes.hooks import Happening
from spawner.processes.launcher import StartError, identity_for
from spawner.processes.open_as_user import read_file
from spawner.processes.scoreboard_reader import ScoreboardReader
from spawner.system.linux import Identity

_QUEUE_PAUSE = 0.05  # seconds between two looks at a queue that stays readable (no descriptors left to accept with)
_SCARCE_PAUSE = 1.0  # seconds, while there are no descriptors
_ERROR_PAGE_LIMIT = 1_048_576  # bytes


class EffectHandlers:
    """One method per kind of effect. None of them raises for what an app, its files or the machine's limits do."""

    def __init__(self, loop: asyncio.AbstractEventLoop, world: World) -> None:
        self.world = world
        self._loop = loop
        self._feed: Feed
        self.processes = ProcessEffects(loop, world)
        self._kinds: dict[type, Callable[..., None]] = {
            effects.CreateGroup: self._create_group,
            effects.UpdateGroup: self._update_group,
            effects.DropGroup: self._drop_group,
            effects.WatchQueue: self._watch_queue,
            effects.UnwatchQueue: self._unwatch_queue,
            effects.FailWaiting: self._fail_waiting,
            effects.RunHook: self._run_hook,
            effects.NoteDeployment: self._note_deployment,
            effects.Progress: world.restarts.publish,
            effects.Log: self._log,
            **self.processes.kinds,
        }

    def connect(self, events: ProcessEvents, feed: Feed) -> None:
        """Say where events go that follow from carrying out effects."""
        self._feed = feed
        self.processes.connect(events, feed)

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
            scoreboard = ScoreboardReader.create()
            try:
                listener = self.make_listener(effect.key)
            except OSError:
                scoreboard.close()
                raise
        except OSError as error:
            world.log.error(3020, "no socket could be made for %s: %s" % (effect.key, error))
            self._feed(world.pool.close_group, effect.key)
            return
        self.add_group(GroupResources(effect.key, path, listener, scoreboard, self._token()))
        world.watch.watch(effect.key, registration.app_root, registration.options.restart_dir)

    def add_group(self, group: GroupResources) -> None:
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

    def _queue_readable(self, group: GroupResources) -> None:
        self._loop.remove_reader(group.listener)
        enough = self.world.scarcity.enough()  # else a start could not be made, and no answer be given either
        if enough:
            self._feed(self.world.pool.queue_readable, group.key)
        if group.queue_watched:
            pause = _QUEUE_PAUSE if enough else _SCARCE_PAUSE
            self._loop.call_later(pause, self._watch_again, group, group.listener)

    def _watch_again(self, group: GroupResources, listener: socket.socket) -> None:
        if group.queue_watched and group.listener is listener:
            self._loop.add_reader(listener, self._queue_readable, group)

    def _fail_waiting(self, effect: effects.FailWaiting) -> None:
        group = self.world.groups.get(effect.key)
        if group is not None:
            answer = self._failure_response(effect.key, effect.failure)
            count = self.world.answers.answer_waiting(group.listener, answer)
            self.world.log.debug(3021, "%s: %d requests were answered 500" % (effect.key, count))

    def _failure_response(self, key: str, failure: StartFailure) -> FailureResponse:
        group = self.world.pool.groups[key]
        registration = group.registration
        retry_after = max(1, math.ceil(group.backoff.retry_at - time.monotonic()))
        if registration.options.friendly_error_pages:
            answer = friendly_response(registration, failure, retry_after)
        else:
            answer = short_response(failure, retry_after)
        custom = registration.options.custom_error_page
        if custom:
            try:
                page = read_file(custom, self._identity_of(key), _ERROR_PAGE_LIMIT)
                answer = dataclasses.replace(answer, html=page, operators_own=True)
            except OSError as error:
                text = "PassengerCustomErrorPage %s, opened as the app's user: %s"
                self.world.log.say("error", 3022, text % (custom, error.strerror or error), registration.error_log)
        return answer

    def _identity_of(self, key: str) -> Identity:
        """The app's user; without one, nothing is opened.

        :raises OSError: the app has none.
        """
        try:
            return identity_for(self.world.pool.groups[key].registration, self.world.pool.server)
        except StartError as error:
            raise OSError(error.failure.summary) from error

    # Those who are to know

    def _run_hook(self, effect: effects.RunHook) -> None:
        group = self.world.pool.groups.get(effect.key)
        app_root = group.registration.app_root if group is not None else ""
        happening = Happening(effect.name, effect.key, app_root, effect.pid, effect.error_id, effect.message)
        self.world.hooks.run(happening)

    def _note_deployment(self, effect: effects.NoteDeployment) -> None:
        group = self.world.pool.groups.get(effect.key)
        if group is not None:
            registration = group.registration
            try:
                identity = self._identity_of(effect.key)
            except OSError:  # no user can be found: the failure says it, and nobody may write
                return
            self.world.notes.note(registration, identity, effect.generation, effect.failure)


    def _log(self, effect: effects.Log) -> None:
        """What is wrong with an app goes into its virtual host's log, too: those who can mend it read that one."""
        group = self.world.pool.groups.get(effect.key)
        theirs = group.registration.error_log if group is not None and effect.level in ("error", "warn") else ""
        self.world.log.say(effect.level, effect.number, effect.text, theirs)
