"""Waits for children: every one, for the spawner is also the parent of whatever apps leave behind."""

from __future__ import annotations

import os
from typing import Callable, Optional

_KEPT = 1024  # statuses that nobody has asked for


class Reaper:
    """Collects the exit statuses of children that have ended. It never blocks."""

    def __init__(self) -> None:
        self._statuses: dict[int, int] = {}
        self._watchers: dict[int, Callable[[int], None]] = {}

    def collect(self) -> None:
        """Wait for every child that has ended."""
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
                self.note(pid, status)

    def watch(self, pid: int, ended: Callable[[int], None]) -> None:
        """Have somebody told of the end of a child that was just started.

        :param ended: called once with the status, from within `collect`: it is to do no more than to enqueue.
        """
        self._watchers[pid] = ended

    def unwatch(self, pid: int) -> None:
        """Tell nobody of it any more."""
        self._watchers.pop(pid, None)

    def note(self, pid: int, status: int) -> None:
        """Remember a status; a preloader reports those of its workers."""
        self._statuses.pop(pid, None)
        self._statuses[pid] = status
        while len(self._statuses) > _KEPT:
            del self._statuses[next(iter(self._statuses))]

    def take(self, pid: int) -> Optional[int]:
        """The status of a child that has ended, as waitpid gives it, once; None if it is not known."""
        return self._statuses.pop(pid, None)
