"""What the directives allow an app: the limits of each of its processes, and those of all of them together. Pure."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping, Optional

from spawner.options import AppOptions
from spawner.processes import limited_start
from spawner.processes.app_environment import CommandLine
from spawner.system.linux import Identity

MEGABYTE = 1_048_576


@dataclass(frozen=True)
class CgroupLimit:
    """A limit that a controller of cgroups enforces.

    :ivar option: the directive's name in `AppOptions`.
    :ivar file: where the value is written; `default` is what the kernel has without it.
    :ivar factor: of the directive's unit.
    """

    directive: str
    option: str
    controller: str
    file: str
    default: str
    factor: int = 1

    def value(self, options: AppOptions) -> int:
        """What is configured; 0: nothing."""
        return int(getattr(options, self.option))

    def text(self, options: AppOptions) -> str:
        """What the kernel is told."""
        value = self.value(options)
        return str(value * self.factor) if value else self.default


MEMORY = CgroupLimit("PassengerAppMemoryLimit", "app_memory_limit", "memory", "memory.max", "max", MEGABYTE)
PROCESSES = CgroupLimit("PassengerAppProcessLimit", "app_process_limit", "pids", "pids.max", "max")
CPU_WEIGHT = CgroupLimit("PassengerAppCpuWeight", "app_cpu_weight", "cpu", "cpu.weight", "100")
CGROUP_LIMITS = (MEMORY, PROCESSES, CPU_WEIGHT)


@dataclass(frozen=True)
class StartLimits:
    """What holds for one interpreter from its start.

    :ivar limits: values of directives that setrlimit(2) enforces.
    :ivar cgroup: that it enters itself; None: the spawner has entered one for it.
    """

    limits: Mapping[str, int] = field(default_factory=dict)
    no_new_privileges: bool = False
    cgroup: Optional[Path] = None

    @property
    def any(self) -> bool:
        """Whether there is something to be done before the interpreter is executed."""
        return bool(self.limits or self.no_new_privileges or self.cgroup)


def _process_limits(options: AppOptions) -> dict[str, int]:
    """What setrlimit(2) enforces, by directive; 0: no limit."""
    return {
        "PassengerAddressSpaceLimit": options.address_space_limit,
        "PassengerUserProcessLimit": options.user_process_limit,
        "PassengerAppFileDescriptorUlimit": options.app_file_descriptor_ulimit,
        "PassengerCpuTimeLimit": options.cpu_time_limit,
    }


def start_limits(options: AppOptions, cgroup: Optional[Path]) -> StartLimits:
    """What the directives say."""
    limits = {directive: value for directive, value in _process_limits(options).items() if value}
    return StartLimits(limits, options.no_new_privileges, cgroup)


def limited_command(
    command: CommandLine, limits: StartLimits, identity: Identity, app_root: str, open_files: Optional[int]
) -> CommandLine:
    """The command line of a program that sets the limits, becomes the user, enters the app root, and executes another.

    :param open_files: the soft limit of open files where the directives say nothing; None: it is right already.
    """
    orders = {
        "limits": dict(limits.limits),
        "no_new_privileges": limits.no_new_privileges,
        "cgroup": str(limits.cgroup or ""),
        "open_files": open_files,
        "switch": identity.switch,
        "uid": identity.uid,
        "gid": identity.gid,
        "groups": list(identity.groups),
        "app_root": app_root,
    }
    program = (sys.executable, "-I", "-S", "-B", limited_start.__file__, json.dumps(orders))
    return CommandLine((*program, *command.argv), limited_start.hide_variables(command.environment))


def limits_in_force(options: AppOptions, without_effect: Mapping[str, str]) -> dict[str, object]:
    """The limits that are configured, by directive, for `status`.

    :param without_effect: why, by directive.
    """
    configured: dict[str, int | bool] = {
        **_process_limits(options),
        **{limit.directive: limit.value(options) for limit in CGROUP_LIMITS},
        "PassengerNoNewPrivileges": options.no_new_privileges,
    }
    return {
        directive: {"value": value, "without_effect": without_effect.get(directive)}
        for directive, value in configured.items()
        if value
    }


def why_ended(status: Optional[int], options: AppOptions, oom_kills: int) -> str:
    """Which directive has ended a process; empty: none that is known.

    :param status: as waitpid gives it.
    :param oom_kills: how many processes of the app the kernel has killed for PassengerAppMemoryLimit just now.
    """
    number = status & 0x7F if status is not None else 0
    if number == signal.SIGXCPU and options.cpu_time_limit:
        return "PassengerCpuTimeLimit %d: it has used so many seconds of processor time" % options.cpu_time_limit
    if number == signal.SIGKILL and oom_kills and options.app_memory_limit:
        return "PassengerAppMemoryLimit %d: the app needs more MB of memory" % options.app_memory_limit
    return ""
