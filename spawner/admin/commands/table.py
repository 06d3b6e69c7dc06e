"""Which commands the admin socket knows."""

from __future__ import annotations

from typing import Callable

from spawner.admin.commands.backtraces import Backtraces
from spawner.admin.commands.command import Command
from spawner.admin.commands.detach_process import DetachProcess
from spawner.admin.commands.figures import Figures
from spawner.admin.commands.memory import Memory
from spawner.admin.commands.reopen_logs import ReopenLogs
from spawner.admin.commands.requests import Requests
from spawner.admin.commands.restart_app import RestartApp
from spawner.admin.commands.status import Status
from spawner.daemon.world import Feed, World


def make_commands(
    world: World, feed: Feed, look: Callable[[], None], reopen: Callable[[], list[str]], started: float
) -> dict[str, Command]:
    """Every command by its name.

    :param feed: tells the pool something (`EventLoop.feed`).
    :param look: has the scoreboards read.
    :param reopen: opens the log files anew, gives their paths.
    :param started: when this spawner started, Unix time in seconds.
    """
    figures = Figures(
        world.memory, lambda: {process.pid: process.identity for process in world.processes.values()}
    )
    return {
        "status": Status(world, figures, look, started),
        "restart_app": RestartApp(world, feed),
        "detach_process": DetachProcess(world, feed),
        "memory": Memory(world, figures),
        "requests": Requests(world),
        "backtraces": Backtraces(world),
        "reopen_logs": ReopenLogs(reopen),
    }
