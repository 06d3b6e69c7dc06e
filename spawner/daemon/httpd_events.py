"""What httpd asks for: new configurations, the sockets of apps, and what it reports of full queues."""

from __future__ import annotations

import asyncio
import os
from typing import Callable

from spawner.daemon.event_dispatcher import Dispatch
from spawner.daemon.htaccess_apps import HtaccessApps
from spawner.daemon.log_configuration import LogConfiguration
from spawner.errors import OperatorError
from spawner.httpd import prestart
from spawner.httpd.parent_line import ServerConfiguration
from spawner.httpd.registrar import GroupAddress
from spawner.logs.log import Log
from spawner.pool.pool import Pool
from spawner.pool.registration import Registration
from spawner.processes.app_process import AppRegistry
from spawner.processes.hooks import Hooks
from spawner.watching.restart_watch import RestartWatch


class HttpdEventHandlers:
    """The callbacks of ParentLine and Registrar.

    :param open_sockets: called with each configuration that is in force; the first time it opens the spawner's own
        sockets.
    :param check_directory: makes files of the instance folder again that are missing.
    :param prestart_timeout: seconds for one URL of PassengerPreStart.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        registry: AppRegistry,
        dispatch: Dispatch,
        log: Log,
        log_configuration: LogConfiguration,
        restart_watch: RestartWatch,
        hooks: Hooks,
        open_sockets: Callable[[], None],
        check_directory: Callable[[], None],
        prestart_timeout: float,
        htaccess_apps: HtaccessApps,
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._registry = registry
        self._dispatch = dispatch
        self._log = log
        self._log_configuration = log_configuration
        self._restart_watch = restart_watch
        self._hooks = hooks
        self._open_sockets = open_sockets
        self._check_directory = check_directory
        self._prestart_timeout = prestart_timeout
        self._htaccess_apps = htaccess_apps
        self._prestarts: set[asyncio.Task[None]] = set()

    def on_configuration(self, new: ServerConfiguration) -> None:
        """A configuration is complete: it is in force from now on."""
        self._log_configuration.apply(new)
        self._restart_watch.poll_interval = max(1.0, new.options.stat_throttle_rate)
        self._hooks.configure(new.hooks)
        self._dispatch(self._pool.configure, new.options, new.epoch, frozenset(new.vhost_ids))
        self._open_sockets()
        self._log.notice(3045, "configuration %d is in force" % new.epoch)
        for url in new.prestart:
            self._prestart(url)

    def register(self, registration: Registration) -> GroupAddress:
        """A child of httpd asks for an app's socket.

        :raises OperatorError: there is no loader for the app, the socket cannot be made, or a .htaccess file may not
            choose the app.
        """
        registration = self._htaccess_apps.admit(registration)
        capabilities = self._pool.capabilities_of(registration)
        self._dispatch(self._pool.register, registration)
        # With PassengerStatThrottleRate 0, a child asks because it has seen a touch.
        self._restart_watch.check(registration.key)
        resources = self._registry.groups.handle(registration.key)
        if resources is None:
            raise OperatorError("no socket could be made for it; the log of the spawner says why")
        # A child that registers an app again did not find the socket: a cleaner may have removed it.
        if not os.path.lexists(resources.path):
            self._check_directory()
        return GroupAddress(resources.path, resources.token, capabilities, resources.scoreboard.descriptor)

    def on_queue_full(self, key: str, count: int) -> None:
        """A child of httpd has answered requests of an app 503."""
        self._dispatch(self._pool.queue_overflowed, key, count)

    def close(self) -> None:
        """Cancel the requests of PassengerPreStart."""
        for task in list(self._prestarts):
            task.cancel()

    def _prestart(self, url: str) -> None:
        task = self._loop.create_task(prestart.prestart(url, self._prestart_timeout, self._log))
        self._prestarts.add(task)
        task.add_done_callback(self._prestarts.discard)
