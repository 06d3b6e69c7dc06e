"""Keeps the instance folder complete: cleaners of temporary files remove what looks old."""

from __future__ import annotations

import os
from typing import Callable, Mapping

from spawner.errors import OperatorError
from spawner.logs.log import Log
from spawner.pool.pool import Pool
from spawner.processes.app_process import AppProcess
from spawner.processes.group_resources import GroupResources
from spawner.state_store.instance_directory import InstanceDirectory


class DirectoryGuard:
    """Checks for missing files and sockets, and makes them again.

    :param resources: of the pool's groups, by key.
    :param processes: of the pool, by its ids.
    :param make_folder: makes folders and files of the instance, as at the start; may raise OperatorError.
    :param make_socket: makes one of the spawner's own sockets again, by its path; may raise OSError.
    :param replace_listener: makes the socket of an app again, by its key; may raise OSError.
    :param restart: restarts an app, by its key, so that its processes use the new socket.
    """

    def __init__(
        self,
        instance: InstanceDirectory,
        pool: Pool,
        resources: Mapping[str, GroupResources],
        processes: Mapping[int, AppProcess],
        log: Log,
        make_folder: Callable[[], None],
        make_socket: Callable[[str], None],
        replace_listener: Callable[[str], None],
        restart: Callable[[str], None],
    ) -> None:
        self._instance = instance
        self._pool = pool
        self._resources = resources
        self._processes = processes
        self._log = log
        self._make_folder = make_folder
        self._make_socket = make_socket
        self._replace_listener = replace_listener
        self._restart = restart

    def check(self) -> None:
        """Make again what is missing. What cannot be made is logged, and tried again at the next check."""
        files = self._instance.missing_files()
        own = (self._instance.spawner_socket, self._instance.admin_socket)
        sockets = [path for path in own if not os.path.lexists(path)]
        apps = [key for key in self._resources if self._lacks_socket(key)]
        if not files and not sockets and not apps:
            return
        count = len(files) + len(sockets) + len(apps)
        text = "making files of the instance folder again that were removed: %d in %s"
        self._log.error(3047, text % (count, self._instance.folder))
        try:
            self._make_folder()
            for path in sockets:
                self._make_socket(path)
            for key in apps:
                self._replace_listener(key)
                self._restart(key)
        except (OSError, OperatorError) as error:
            self._log.error(3048, "the instance folder cannot be made again: %s" % error)

    def _lacks_socket(self, key: str) -> bool:
        """Whether clients cannot connect to an app, or to one of its workers."""
        paths = [self._resources[key].path]
        group = self._pool.groups.get(key)
        for entry in group.workers() if group is not None else ():
            process = self._processes.get(entry.process_id)
            # A worker that retires has no socket on purpose.
            if process is not None and process.route and entry.serving:
                paths.append(self._instance.worker_socket(key, process.route))
        return not all(map(os.path.lexists, paths))
