"""Processes that nothing needs any more: workers forked for a cancelled start, and what apps have started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Iterable, Iterator, Mapping, Optional

import psutil

from spawner.errors import PeerError
from spawner.processes.app_process import AppProcess
from spawner.processes.process_tree import ProcessTree
from spawner.system import linux

_MOST_STRAY_WORKERS = 64  # of one preloader at the same time


class StrayWorkers:
    """Workers that were forked for starts that have been cancelled. Those that do not end by themselves are killed.

    The line of such a worker has ended, which tells it to end. It may have accepted a request before that, which it
    finishes. A worker that hangs inside its fork does not read the line.

    :param timeout: seconds until one is killed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._loop = loop
        self._timeout = timeout
        self._preloaders: dict[int, int] = {}  # process ids by the pid of each stray worker

    def add(self, preloader: AppProcess, pid: int, pidfd: int) -> None:
        """Have this one end, once however often it is reported.

        :param preloader: whose child it is.
        :param pidfd: owned from now on.
        :raises PeerError: the preloader has too many of them: it does not fork what it is told to.
        """
        if pid in self._preloaders:
            linux.close_descriptor(pidfd)
            return
        if list(self._preloaders.values()).count(preloader.process_id) >= _MOST_STRAY_WORKERS:
            linux.close_descriptor(pidfd)
            raise PeerError("%d forked workers that nobody waits for" % (_MOST_STRAY_WORKERS + 1))
        self._preloaders[pid] = preloader.process_id
        timer = self._loop.call_later(self._timeout, linux.signal_process, pid, pidfd, signal.SIGKILL)
        tree = preloader.tree.acquire() if preloader.tree is not None else None
        self._loop.add_reader(pidfd, self._ended, pid, pidfd, timer, tree)

    def _ended(self, pid: int, pidfd: int, timer: asyncio.TimerHandle, tree: Optional[ProcessTree]) -> None:
        timer.cancel()
        self._loop.remove_reader(pidfd)
        linux.close_descriptor(pidfd)
        del self._preloaders[pid]
        if tree is not None:
            tree.release()


def sessions_of(processes: Iterable[AppProcess]) -> dict[int, int]:
    """The sessions of app processes, each of which was started in one of its own, with the uids of their users."""
    sessions = {process.session: process.identity.uid for process in processes if process.session}
    sessions.pop(os.getsid(0), None)
    return sessions


def find(sessions: Mapping[int, int]) -> list[psutil.Process]:
    """Every process of these sessions, and every descendant of this process, which is the subreaper of their orphans.

    :param sessions: real uids by session id. The id may be in use again, but hardly by the same user.
    """
    found = {process.pid: process for process in _members(sessions)}
    with contextlib.suppress(psutil.Error):
        found.update((process.pid, process) for process in psutil.Process().children(recursive=True))
    return running(found.values())


def _members(sessions: Mapping[int, int]) -> Iterator[psutil.Process]:
    for pid in psutil.pids() if sessions else ():
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if sessions.get(os.getsid(pid)) == process.uids().real:
                yield process


def signal_all(processes: Iterable[psutil.Process], number: int) -> None:
    """Signal processes; psutil leaves a pid alone that belongs to another process by now."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended."""
    return [process for process in processes if _is_running(process)]


def _is_running(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
