"""What the parts of the spawner share: the pool and, by its names, what the operating system has of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

from spawner.app_group import AppGroup
from spawner.app_logs import AppLogs
from spawner.app_process import AppProcess
from spawner.configuration import Configuration
from spawner.deployment_notes import DeploymentNotes
from spawner.failure_answer import FailureAnswers
from spawner.hooks import Hooks
from spawner.instance import Instance
from spawner.launcher import Launcher
from spawner.log import Log
from spawner.parameters import Parameters
from spawner.pool import Pool
from spawner.reaper import Reaper
from spawner.restart_progress import RestartProgress
from spawner.restart_watch import RestartWatch
from spawner.scarcity import Scarcity
from spawner.short_process import ShortProcesses
from spawner.stack_capture import Stacks
from spawner.stock import Stock


@dataclass
class World:
    """Made once, by the daemon.

    Invariant: `groups` has the keys of `pool.groups` and `processes` the ids of `pool.processes`, whenever no effect
    is being carried out.
    """

    parameters: Parameters
    configuration: Configuration
    log: Log
    app_logs: AppLogs
    instance: Instance
    launcher: Launcher
    pool: Pool
    stock: Stock
    watch: RestartWatch
    answers: FailureAnswers
    reaper: Reaper
    short_processes: ShortProcesses
    hooks: Hooks
    notes: DeploymentNotes
    scarcity: Scarcity
    stacks: Stacks
    restarts: RestartProgress = field(default_factory=RestartProgress)
    groups: dict[str, AppGroup] = field(default_factory=dict)
    processes: dict[int, AppProcess] = field(default_factory=dict)


Feed = Callable[..., None]
