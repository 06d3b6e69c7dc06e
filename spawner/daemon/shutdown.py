"""The end of every app: first its processes may finish, then they are killed, then what they have started."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Callable, Mapping

from spawner.daemon.event_loop import EventLoop
from spawner.daemon.process_effects import ProcessEffects
from spawner.daemon.world import World
from spawner.processes import stray_processes

_REAP_GRACE = 1.0  # seconds that killed processes have to be gone in
_LOOK = 0.02  # seconds between two looks whether they have gone


async def end_apps(world: World, engine: EventLoop, carrier: ProcessEffects, sessions: Mapping[int, int]) -> None:
    """End every app, and the hooks that this brings about; nothing of theirs is to outlive httpd.

    :param sessions: of the processes, as stray_processes.sessions_of gave them before the first of them had gone.
    """
    deadline = time.monotonic() + world.configuration.shutdown_grace
    engine.feed(world.pool.shut_down)
    await _until(lambda: not world.processes, deadline)
    await _until(lambda: world.hooks.idle, deadline)
    carrier.close()
    for process in list(world.processes.values()):
        process.kill()
    await _end_leftovers(dict(sessions), deadline)
    await _until(lambda: not world.processes, time.monotonic() + _REAP_GRACE)
    for process in list(world.processes.values()):
        process.close()
    engine.close()
    world.hooks.close()
    world.short_processes.close()


async def _end_leftovers(sessions: "dict[int, int]", deadline: float) -> None:
    left = stray_processes.find(sessions)
    stray_processes.signal_all(left, signal.SIGTERM)
    while left and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK)
        left = stray_processes.living(left)
    stray_processes.signal_all(stray_processes.find(sessions), signal.SIGKILL)


async def _until(condition: Callable[[], bool], deadline: float) -> None:
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK)
