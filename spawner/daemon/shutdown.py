"""The end of every app: its processes may finish their requests, then they are killed, then what they have started."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Callable, Mapping

from spawner.processes import stray_processes
from spawner.processes.app_process import AppProcess
from spawner.processes.hooks import Hooks
from spawner.processes.process_tree import ProcessTrees

_REAP_TIMEOUT = 1.0  # seconds for killed processes to disappear
_POLL = 0.02  # seconds between two checks whether they have


async def end_apps(
    processes: Mapping[int, AppProcess],
    sessions: Mapping[int, int],
    hooks: Hooks,
    retire_all: Callable[[float], None],
    stop_starts: Callable[[], None],
    trees: ProcessTrees,
    grace: float,
) -> None:
    """End every app, and the hooks that are run for that. Nothing of them is to outlive httpd.

    :param processes: of all apps.
    :param sessions: of the processes, as stray_processes.sessions_of gave them before the first of them has ended.
    :param retire_all: tells the pool to shut down; called with the time when the processes are killed.
    :param stop_starts: called before the processes are killed: none is started any more.
    :param trees: what the processes have started.
    :param grace: seconds for the processes and hooks to end by themselves.
    """
    deadline = time.monotonic() + grace
    retire_all(deadline)
    await _until(lambda: not processes, deadline)
    await _until(lambda: hooks.idle, deadline)
    stop_starts()
    for process in list(processes.values()):
        process.kill()
    await _end_stray_processes(dict(sessions), deadline)
    trees.close()
    await _until(lambda: not processes, time.monotonic() + _REAP_TIMEOUT)
    for process in list(processes.values()):
        process.close()
    await _until(trees.remove_cgroups, time.monotonic() + _REAP_TIMEOUT)


async def _end_stray_processes(sessions: "dict[int, int]", deadline: float) -> None:
    found = stray_processes.find(sessions)
    stray_processes.signal_all(found, signal.SIGTERM)
    while found and time.monotonic() < deadline:
        await asyncio.sleep(_POLL)
        found = stray_processes.running(found)
    stray_processes.signal_all(stray_processes.find(sessions), signal.SIGKILL)


async def _until(condition: Callable[[], bool], deadline: float) -> None:
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(_POLL)
