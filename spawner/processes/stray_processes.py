"""Processes that nothing needs any more: workers forked for a cancelled start, and what apps have started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Iterable, Iterator, Mapping

import psutil

from spawner.processes.app_process import AppProcess
from spawner.system import linux


class StrayWorker:
    """A worker that was forked for a start that has been cancelled. It is killed if it does not end by itself.

    Its line has ended, which tells it to end. It may have accepted a request before that, which it finishes. A worker
    that hangs inside its fork does not read the line.

    :param pidfd: owned from now on.
    :param timeout: seconds until it is killed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, pid: int, pidfd: int, timeout: float) -> None:
        self._loop = loop
        self._pid = pid
        self._pidfd = pidfd
        self._timer = loop.call_later(timeout, self._kill)
        loop.add_reader(pidfd, self._ended)

    def _kill(self) -> None:
        linux.signal_process(self._pid, self._pidfd, signal.SIGKILL)

    def _ended(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._pidfd)
        linux.close_descriptor(self._pidfd)


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
