"""What the parts of the spawner share: the pool and, by its names, what the operating system has of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

from spawner.admin.restart_progress import RestartProgress
from spawner.httpd.parameters import Parameters
from spawner.logs.app_logs import AppLogs
from spawner.logs.log import Log
from spawner.pages.error_responder import ErrorResponder
from spawner.pages.restart_error_file import RestartErrorFiles
from spawner.pool.pool import Pool
from spawner.processes.app_process import AppProcess
from spawner.processes.group_resources import GroupResources
from spawner.processes.helper_process import HelperProcesses
from spawner.processes.hooks import Hooks
from spawner.processes.launcher import Launcher
from spawner.processes.reaper import Reaper
from spawner.processes.stack_capture import Stacks
from spawner.spawner_conf import SpawnerConf
from spawner.state_store.instance_directory import InstanceDirectory
from spawner.state_store.state_store import StateStore
from spawner.system.descriptor_exhaustion import DescriptorExhaustion
from spawner.watching.memory_reader import MemoryReader
from spawner.watching.restart_watch import RestartWatch


@dataclass
class World:
    """Made once, by the daemon.

    Invariant: `groups` has the keys of `pool.groups` and `processes` the ids of `pool.processes`, whenever no effect
    is being carried out.
    """

    parameters: Parameters
    configuration: SpawnerConf
    log: Log
    app_logs: AppLogs
    instance: InstanceDirectory
    launcher: Launcher
    pool: Pool
    stock: StateStore
    watch: RestartWatch
    answers: ErrorResponder
    reaper: Reaper
    short_processes: HelperProcesses
    hooks: Hooks
    notes: RestartErrorFiles
    scarcity: DescriptorExhaustion
    stacks: Stacks
    memory: MemoryReader
    restarts: RestartProgress = field(default_factory=RestartProgress)
    groups: dict[str, GroupResources] = field(default_factory=dict)
    processes: dict[int, AppProcess] = field(default_factory=dict)


Feed = Callable[..., None]
