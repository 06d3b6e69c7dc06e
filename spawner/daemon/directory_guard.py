"""Keeps the instance folder complete: cleaners of temporary files take away what looks old."""

from __future__ import annotations

import os
from typing import Callable

from spawner.daemon.effect_handlers import EffectHandlers
from spawner.daemon.world import World
from spawner.errors import OperatorError


class DirectoryGuard:
    """Looks for what is missing and makes it anew.

    :param make: makes folders and files of the instance, as at the start; may raise OperatorError.
    :param listen: makes one of the spawner's own sockets anew, by its path; may raise OSError.
    :param restart: brings an app's processes to a new socket.
    """

    def __init__(
        self,
        world: World,
        carrier: EffectHandlers,
        make: Callable[[], None],
        listen: Callable[[str], None],
        restart: Callable[[str], None],
    ) -> None:
        self._world = world
        self._carrier = carrier
        self._make = make
        self._listen = listen
        self._restart = restart

    def look(self) -> None:
        """Make anew what is missing; that it cannot be made is logged, and tried again at the next look."""
        folder, log = self._world.instance, self._world.log
        files = folder.missing_files()
        sockets = [path for path in (folder.spawner_socket, folder.admin_socket) if not os.path.lexists(path)]
        apps = [key for key in self._world.groups if self._lacks_socket(key)]
        if not files and not sockets and not apps:
            return
        count = len(files) + len(sockets) + len(apps)
        log.error(3047, "%d files of the instance folder %s were removed: making them anew" % (count, folder.folder))
        try:
            self._make()
            for path in sockets:
                self._listen(path)
            for key in apps:
                self._carrier.replace_listener(key)
                self._restart(key)
        except (OSError, OperatorError) as error:
            log.error(3048, "the instance folder cannot be made anew: %s" % error)

    def _lacks_socket(self, key: str) -> bool:
        """Whether clients cannot find an app's socket, or that of one of its workers."""
        folder, group = self._world.instance, self._world.groups[key]
        paths = [group.path]
        for entry in self._world.pool.groups[key].workers() if key in self._world.pool.groups else ():
            process = self._world.processes.get(entry.process_id)
            if process is not None and process.route and entry.serving:  # one that retires has lost its own on purpose
                paths.append(folder.worker_socket(key, process.route))
        return not all(map(os.path.lexists, paths))
