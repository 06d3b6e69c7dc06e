"""Commands of the administrator that are run when something happens (PassengerCtl hook_..., docs/hooks.md)."""

from __future__ import annotations

import collections
import os
import re
import shlex
from dataclasses import dataclass
from typing import Mapping, Sequence

from spawner.logs.log import Log
from spawner.options import HookName
from spawner.pool.process import describe_status
from spawner.processes.app_environment import PATH
from spawner.processes.helper_process import HelperProcesses, Outcome

_SECONDS = 60.0  # that one command may take
_AT_ONCE = 4
_WAITING = 100  # runs that wait for their turn; more are dropped
_MESSAGE_LIMIT = 16_384  # characters: the kernel limits one variable to 128 KiB
_NEEDS_SHELL = re.compile(r"[|&<>()$`*?\[\]{}~#]")


@dataclass(frozen=True)
class Happening:
    """What a hook is run for.

    :ivar key: the app group.
    :ivar pid: the process that it concerns; 0: none.
    :ivar error_id: what stands on the error page and in the log; empty: none.
    :ivar message: what has gone wrong; empty: nothing.
    """

    name: HookName
    key: str
    app_root: str
    pid: int = 0
    error_id: str = ""
    message: str = ""

    def environment(self) -> dict[str, str]:
        """The variables of the hook's commands, which get no others."""
        variables = {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "PASSENGER_HOOK_NAME": self.name,
            "PASSENGER_APP_ROOT": self.app_root,
            "PASSENGER_APP_GROUP_NAME": self.key,
        }
        if self.pid:
            variables["PASSENGER_PROCESS_PID"] = str(self.pid)
        if self.error_id:
            variables["PASSENGER_ERROR_ID"] = self.error_id
        if self.message:
            variables["PASSENGER_ERROR_MESSAGE"] = self.message[:_MESSAGE_LIMIT].replace("\0", "")
        return variables


def commands_of(text: str) -> list[str]:
    """The commands of a hook: `;` stands between them, as in Passenger."""
    return [command for command in (part.strip() for part in text.split(";")) if command]


def arguments_of(command: str) -> Sequence[str]:
    """How a command is executed: a program's path as it stands, else words, else (pipes, variables) by /bin/sh."""
    if os.path.isabs(command) and os.path.exists(command):
        return (command,)
    if not _NEEDS_SHELL.search(command):
        try:
            return tuple(shlex.split(command)) or (command,)
        except ValueError:  # a quotation mark that is never closed: the shell says so
            pass
    return ("/bin/sh", "-c", command)


@dataclass
class _Job:
    happening: Happening
    commands: "collections.deque[str]"


class Hooks:
    """Runs the commands of hooks: those of one happening in turn, a few happenings at once, nobody waits for them."""

    def __init__(self, processes: HelperProcesses, log: Log) -> None:
        self._processes = processes
        self._log = log
        self._commands: Mapping[str, str] = {}
        self._running = 0
        self._waiting: "collections.deque[_Job]" = collections.deque()

    def configure(self, commands: Mapping[str, str]) -> None:
        """Take over what is configured.

        :param commands: by the hook's name.
        """
        self._commands = dict(commands)

    @property
    def idle(self) -> bool:
        """Whether no command runs or waits."""
        return self._running == 0 and not self._waiting

    def run(self, happening: Happening) -> None:
        """Run a hook's commands as soon as it is their turn; without any it costs nothing."""
        commands = commands_of(self._commands.get(happening.name, ""))
        if not commands:
            return
        if len(self._waiting) >= _WAITING:
            self._log.warn(3100, "hook %s of %s is not run: %d others wait" % (
                happening.name, happening.key, _WAITING))  # fmt: skip
            return
        self._waiting.append(_Job(happening, collections.deque(commands)))
        self._start_waiting()

    def close(self) -> None:
        """Start no more."""
        self._waiting.clear()

    def _start_waiting(self) -> None:
        while self._waiting and self._running < _AT_ONCE:
            self._running += 1
            self._next_command(self._waiting.popleft())

    def _next_command(self, job: _Job) -> None:
        if not job.commands:
            self._running -= 1
            self._start_waiting()
            return
        command, happening = job.commands.popleft(), job.happening
        self._log.info(3101, "hook %s of %s: running %s" % (happening.name, happening.key, command))
        try:
            self._processes.start(
                arguments_of(command), happening.environment(), _SECONDS, lambda end: self._ended(job, command, end)
            )
        except (OSError, ValueError) as error:
            text = "hook %s: %s could not be executed: %s"
            self._log.error(3102, text % (happening.name, command, getattr(error, "strerror", None) or error))
            job.commands.clear()
            self._next_command(job)

    def _ended(self, job: _Job, command: str, outcome: Outcome) -> None:
        what = "hook %s: %s" % (job.happening.name, command)
        if outcome.output:
            self._log.notice(3103, "%s wrote:\n%s" % (what, outcome.output))
        if not outcome.succeeded:
            reason = "killed, it took longer than %d s" % _SECONDS if outcome.late else describe_status(outcome.status)
            rest = "; its further commands are not run" if job.commands else ""
            self._log.error(3104, "%s failed: %s%s" % (what, reason, rest))
            job.commands.clear()
        self._next_command(job)
