"""What apps have started themselves and left behind: found by session and descent, ended when everything ends."""

from __future__ import annotations

import contextlib
import os
from typing import Iterable, Iterator, Mapping

import psutil

from spawner.processes.app_process import AppProcess


def sessions_of(processes: Iterable[AppProcess]) -> dict[int, int]:
    """The sessions of app processes (each loader was started in one of its own), with their users' uids."""
    sessions = {process.session: process.identity.uid for process in processes if process.session}
    sessions.pop(os.getsid(0), None)
    return sessions


def find(sessions: Mapping[int, int]) -> list[psutil.Process]:
    """Every process of these sessions, and every descendant of this process, which is the parent of their orphans.

    :param sessions: ids and real uids; a session's number may be in use again, but hardly by the same user.
    """
    found = {process.pid: process for process in _members(sessions)}
    with contextlib.suppress(psutil.Error):
        found.update((process.pid, process) for process in psutil.Process().children(recursive=True))
    return living(found.values())


def _members(sessions: Mapping[int, int]) -> Iterator[psutil.Process]:
    for pid in psutil.pids() if sessions else ():
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if sessions.get(os.getsid(pid)) == process.uids().real:
                yield process


def signal_all(processes: Iterable[psutil.Process], number: int) -> None:
    """Signal processes; psutil sees to it that a pid that was taken over by another process is left alone."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended."""
    return [process for process in processes if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
