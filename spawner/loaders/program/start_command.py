"""How a program is executed: its arguments, its environment, and which way connections come to it. Pure."""

import json
import re
from typing import Dict, List, Mapping, NamedTuple

FIRST_DESCRIPTOR = 3  # of those that a program inherits, as systemd's services do (sd_listen_fds(3))
SHELL = "/bin/sh"
_PORT = re.compile(r"\$\{?PORT\b")
_SOCKET = re.compile(r"\$\{?PASSENGER_SOCKET\b")
# Assignments, and one program with its arguments. Everything else is the shell's to understand.
_SIMPLE = re.compile(
    r"""(?P<assignments>\s*(?:[A-Za-z_][A-Za-z0-9_]*=(?:"[^"]*"|'[^']*'|[^\s"'])*\s+)*)(?P<word>[^\s=]+)(?:\s.*)?\Z"""
)
_NOT_SIMPLE = re.compile(r"[;&|<>()`\n\\#]")
_OF_THE_SHELL = frozenset(
    ". : [ alias break bg case cd command continue do done echo elif else esac eval exec exit export false fc fg fi "
    "for function getopts hash if in jobs kill local printf pwd read readonly return set shift source test then time "
    "times trap true type ulimit umask unalias unset until wait while { } !".split()
)
_OURS = "JUMPSEAT_"
_COMMAND = "app_start_command"


class NoCommand(Exception):
    """The app's fault: nothing says how its program is started."""


class Ways(NamedTuple):
    """The ways that a start command names by which connections can come to its program.

    `port`: $PORT; `own_socket`: $PASSENGER_SOCKET. With neither, the program may use whichever it knows, the group's
    socket as its descriptor 3 included.
    """

    port: bool
    own_socket: bool

    @property
    def inherited(self) -> bool:
        """Whether the program may accept on the group's socket itself."""
        return not self.port and not self.own_socket


def command_of(configuration: str, name: str) -> str:
    """Return the start command that an app's own configuration names (`Passengerfile.json`). Raises NoCommand.

    `configuration`: its text; `name`: of the file, for messages.
    """
    try:
        values = json.loads(configuration)
    except ValueError as error:
        raise NoCommand("%s is no JSON: %s" % (name, error)) from error
    command = values.get(_COMMAND) if isinstance(values, dict) else None
    if not isinstance(command, str) or not command.strip():
        raise NoCommand("%s has no %s, and there is no PassengerAppStartCommand" % (name, _COMMAND))
    return command


def ways_of(command: str) -> Ways:
    """Return what a start command names."""
    return Ways(bool(_PORT.search(command)), bool(_SOCKET.search(command)))


def shell_arguments(command: str) -> List[str]:
    """Return the arguments that run a start command so that the program replaces the shell where that is possible.

    A simple command is given `exec`, also behind others and `&&`. Whoever writes more has to write it there himself.
    """
    before, also, last = command.strip().rpartition("&&")
    simple = _SIMPLE.match(last)
    quoted = before.count("'") % 2 or before.count('"') % 2  # the last && is within quotes
    if quoted or simple is None or simple.group("word") in _OF_THE_SHELL:
        return [SHELL, "-c", command]
    if _NOT_SIMPLE.search(before.replace("&&", "") + last):
        return [SHELL, "-c", command]
    place = simple.start("word")
    return [SHELL, "-c", before + also + last[:place] + "exec " + last[place:]]


def without_ours(inherited: Mapping[str, str]) -> Dict[str, str]:
    """Return the variables without those of the loader."""
    return {name: value for name, value in inherited.items() if not name.startswith(_OURS)}
