"""Waits for child processes: all of them, also the orphans of apps (the spawner is their subreaper, prctl(2))."""

from __future__ import annotations

import os
from typing import Callable, Optional

_MOST_KEPT = 1024  # statuses that nobody has fetched


class Reaper:
    """Collects the exit statuses of children that have ended. It never blocks."""

    def __init__(self) -> None:
        self._statuses: dict[int, int] = {}
        self._watchers: dict[int, Callable[[int], None]] = {}

    def collect(self) -> None:
        """Fetch the status of every child that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            watcher = self._watchers.pop(pid, None)
            if watcher is not None:
                watcher(status)
            else:
                self.add_status(pid, status)

    def watch(self, pid: int, on_exit: Callable[[int], None]) -> None:
        """Call back when a child ends that was just started.

        :param on_exit: called once with the status as waitpid gives it, from within `collect`: it only schedules.
        """
        self._watchers[pid] = on_exit

    def unwatch(self, pid: int) -> None:
        """Call nobody back for it any more."""
        self._watchers.pop(pid, None)

    def add_status(self, pid: int, status: int) -> None:
        """Keep a status; a preloader reports those of its workers."""
        self._statuses.pop(pid, None)
        self._statuses[pid] = status
        while len(self._statuses) > _MOST_KEPT:
            del self._statuses[next(iter(self._statuses))]

    def pop_status(self, pid: int) -> Optional[int]:
        """The status of a child that has ended, as waitpid gives it, and forget it; None if it is not known."""
        return self._statuses.pop(pid, None)
