"""Runs the administrator's commands for events of apps (PassengerCtl hook_..., docs/hooks.md)."""

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
from spawner.processes.helper_process import HelperProcesses, HelperResult

_TIMEOUT = 60.0  # seconds for one command
_MOST_RUNNING = 4  # events whose commands run at the same time
_MOST_WAITING = 100  # events whose commands wait; more are dropped
_MESSAGE_LIMIT = 16_384  # characters: the kernel limits one variable to 128 KiB
_NEEDS_SHELL = re.compile(r"[|&<>()$`*?\[\]{}~#]")


@dataclass(frozen=True)
class HookEvent:
    """What a hook is run for.

    :ivar key: the app group.
    :ivar pid: of the process that it is about; 0: none.
    :ivar error_id: the id on the error page and in the log; empty: none.
    :ivar message: the error; empty: none.
    """

    name: HookName
    key: str
    app_root: str
    pid: int = 0
    error_id: str = ""
    message: str = ""

    def environment(self) -> dict[str, str]:
        """All variables of the hook's commands."""
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
    """The commands of a hook, which `;` separates, as in Passenger."""
    return [command for command in (part.strip() for part in text.split(";")) if command]


def arguments_of(command: str) -> Sequence[str]:
    """How to execute a command: the path of a program as it is, else split into words; /bin/sh if it needs a shell."""
    if os.path.isabs(command) and os.path.exists(command):
        return (command,)
    if not _NEEDS_SHELL.search(command):
        try:
            return tuple(shlex.split(command)) or (command,)
        except ValueError:  # a quotation mark is not closed: the shell reports it
            pass
    return ("/bin/sh", "-c", command)


@dataclass
class _Run:
    """The commands of one event that have not run yet."""

    event: HookEvent
    commands: "collections.deque[str]"


class Hooks:
    """Runs the commands of one event one after the other, those of a few events at the same time. Nothing waits for
    them.
    """

    def __init__(self, helpers: HelperProcesses, log: Log) -> None:
        self._helpers = helpers
        self._log = log
        self._commands: Mapping[str, str] = {}
        self._running = 0
        self._waiting: "collections.deque[_Run]" = collections.deque()

    def configure(self, commands: Mapping[str, str]) -> None:
        """Use a new configuration.

        :param commands: by the hook's name.
        """
        self._commands = dict(commands)

    @property
    def idle(self) -> bool:
        """Whether no command runs or waits."""
        return self._running == 0 and not self._waiting

    def run(self, event: HookEvent) -> None:
        """Run the commands of an event as soon as others have ended; without a command nothing happens."""
        commands = commands_of(self._commands.get(event.name, ""))
        if not commands:
            return
        if len(self._waiting) >= _MOST_WAITING:
            text = "hook not run because %d others wait: %s of %s"
            self._log.warn(3100, text % (_MOST_WAITING, event.name, event.key))
            return
        self._waiting.append(_Run(event, collections.deque(commands)))
        self._start_waiting()

    def close(self) -> None:
        """Start no more."""
        self._waiting.clear()

    def _start_waiting(self) -> None:
        while self._waiting and self._running < _MOST_RUNNING:
            self._running += 1
            self._next_command(self._waiting.popleft())

    def _next_command(self, run: _Run) -> None:
        if not run.commands:
            self._running -= 1
            self._start_waiting()
            return
        command, event = run.commands.popleft(), run.event
        self._log.info(3101, "running hook %s of %s: %s" % (event.name, event.key, command))
        try:
            self._helpers.start(
                arguments_of(command), event.environment(), _TIMEOUT, lambda result: self._ended(run, command, result)
            )
        except (OSError, ValueError) as error:
            text = "hook cannot be executed: %s: %s: %s"
            self._log.error(3102, text % (event.name, command, getattr(error, "strerror", None) or error))
            run.commands.clear()
            self._next_command(run)

    def _ended(self, run: _Run, command: str, result: HelperResult) -> None:
        if result.output:
            self._log.notice(3103, "output of hook %s: %s:\n%s" % (run.event.name, command, result.output))
        if not result.succeeded:
            reason = "killed after %d s" % _TIMEOUT if result.timed_out else describe_status(result.status)
            rest = "; its further commands are not run" if run.commands else ""
            self._log.error(3104, "hook failed: %s: %s: %s%s" % (run.event.name, command, reason, rest))
            run.commands.clear()
        self._next_command(run)
