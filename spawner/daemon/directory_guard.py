"""Keeps the instance folder complete: cleaners of temporary files remove what looks old."""

from __future__ import annotations

import os
import time
from typing import Callable, Optional

from spawner.errors import OperatorError
from spawner.logs.log import Log
from spawner.processes.app_process import AppRegistry
from spawner.state_store.instance_directory import InstanceDirectory

_CLOCK_TICK = 0.1  # seconds; more than the resolution of the times of files


class DirectoryGuard:
    """Checks for missing files and sockets, and makes them again.

    :param make_folder: makes folders and files of the instance, as at the start; may raise OperatorError.
    :param make_socket: makes one of the spawner's own sockets again, by its path; may raise OSError.
    :param replace_listener: makes the socket of an app again, by its key; may raise OSError.
    :param restart: restarts an app, by its key, so that its processes use the new socket.
    """

    def __init__(
        self,
        instance: InstanceDirectory,
        registry: AppRegistry,
        log: Log,
        make_folder: Callable[[], None],
        make_socket: Callable[[str], None],
        replace_listener: Callable[[str], None],
        restart: Callable[[str], None],
    ) -> None:
        self._instance = instance
        self._registry = registry
        self._log = log
        self._make_folder = make_folder
        self._make_socket = make_socket
        self._replace_listener = replace_listener
        self._restart = restart
        self._folder: Optional[tuple[int, int, int]] = None  # the folder of the apps' sockets at the last check
        self._folder_since = 0.0  # when it was first seen so; seconds of CLOCK_MONOTONIC
        self._complete = False  # whether all sockets were there since

    def check(self) -> None:
        """Make again what is missing. What cannot be made is logged, and tried again at the next check."""
        files = self._instance.missing_files()
        own = (self._instance.spawner_socket, self._instance.admin_socket)
        sockets = [path for path in own if not os.path.lexists(path)]
        apps = self._apps_without_socket()
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

    def _apps_without_socket(self) -> list[str]:
        """The keys of apps to which, or to one of whose workers, clients cannot connect.

        The sockets are looked for only when something was added to their folder or removed from it since all of them
        were there: a check costs the same however many apps there are.
        """
        now = time.monotonic()
        folder = _folder_version(self._instance.apps)
        if folder != self._folder:
            self._folder, self._folder_since, self._complete = folder, now, False
        if self._complete:
            return []
        missing = {key: self._missing_sockets(key, one.path) for key, one in self._registry.groups.handles.items()}
        # A removal within the same tick of the clock as the last change would not change the folder's time again.
        self._complete = folder is not None and not any(missing.values()) and now > self._folder_since + _CLOCK_TICK
        return [key for key, needed in missing.items() if any(needed)]

    def _missing_sockets(self, key: str, path: str) -> list[bool]:
        """The sockets of an app that do not exist: for each, whether somebody should be able to connect to it now."""
        missing = [] if os.path.lexists(path) else [True]
        group = self._registry.groups.entry(key)
        for entry in group.workers() if group is not None else ():
            process = self._registry.processes.handle(entry.process_id)
            # A worker that retires has no socket on purpose.
            if process is not None and not entry.retiring:
                paths = [self._instance.worker_socket(path, route) for route in process.routes]
                missing += [entry.serving for own in paths if not os.path.lexists(own)]
        return missing


def _folder_version(path: str) -> Optional[tuple[int, int, int]]:
    """What changes when an entry of a folder is added or removed, or another folder has its path; None: none has."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns
