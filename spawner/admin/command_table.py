"""The commands that the admin socket knows, by name."""

from __future__ import annotations

from typing import Callable

from spawner.admin.command import Command
from spawner.admin.process_commands import BacktracesCommand, DetachProcessCommand, RequestsCommand
from spawner.admin.process_usage import UsageReader
from spawner.admin.restart_command import RestartApp, RestartCommand, RestartProgress
from spawner.admin.selection import AppSelection
from spawner.admin.server_commands import MemoryCommand, ReopenLogsCommand
from spawner.admin.status_command import InstanceFacts, StatusCommand
from spawner.pool.pool import Pool
from spawner.processes.app_process import AppRegistry
from spawner.processes.stack_capture import StackCapture
from spawner.watching.memory_reader import MemoryReader


def make_commands(
    *,
    pool: Pool,
    registry: AppRegistry,
    facts: InstanceFacts,
    memory: MemoryReader,
    stacks: StackCapture,
    restart_progress: RestartProgress,
    restart: RestartApp,
    detach: Callable[[int], None],
    sample: Callable[[], None],
    reopen_logs: Callable[[], list[str]],
) -> dict[str, Command]:
    """Every command.

    :param restart: see RestartApp.
    :param detach: tells the pool to detach a process, by its id.
    :param sample: reads the scoreboards now.
    :param reopen_logs: opens the log files again and returns their paths.
    """
    selection = AppSelection(pool, registry)
    handles = registry.processes.handles
    usage = UsageReader(memory, lambda: {process.pid: process.identity for process in handles.values()})
    return {
        "status": StatusCommand(pool, registry, selection, usage, sample, facts),
        "restart_app": RestartCommand(selection, restart, restart_progress),
        "detach_process": DetachProcessCommand(selection, detach),
        "memory": MemoryCommand(registry, selection, usage, facts.httpd_pid),
        "requests": RequestsCommand(registry, selection),
        "backtraces": BacktracesCommand(registry, selection, stacks.stacks_of),
        "reopen_logs": ReopenLogsCommand(reopen_logs),
    }
