"""The environment and the command line of an app's process. Nothing is inherited from the spawner. Pure."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

from spawner.app_types import APP_TYPES
from spawner.system.linux import Identity

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOGIN_SHELLS = frozenset(["bash", "zsh", "ksh", "sh"])
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Setting these is an error in one shell or another.
_READ_ONLY = frozenset(["_", "UID", "EUID", "GID", "EGID", "PPID", "GROUPS", "BASHOPTS", "BASH_VERSINFO", "SHELLOPTS"])
_ENV = "/usr/bin/env"
_SAVED = "JUMPSEAT_SAVED_%d"


@dataclass(frozen=True)
class CommandLine:
    """A command line and the environment that it is executed with."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


def build_environment(
    identity: Identity,
    app_root: str,
    app_env: str,
    base_uri: str,
    server_software: str,
    configured: Mapping[str, str],
    locale: str = "C.UTF-8",
) -> dict[str, str]:
    """The variables of an app's process.

    :param app_env: PassengerAppEnv.
    :param base_uri: where the app is mounted, empty or "/" at the root.
    :param configured: SetEnv and PassEnv, which win over everything.
    """
    variables = {
        "HOME": identity.home,
        "USER": identity.user,
        "LOGNAME": identity.user,
        "SHELL": identity.shell or "/bin/sh",
        "PATH": PATH,
        "LANG": locale,
        "PWD": app_root,
    }
    variables.update(_fixed_variables(app_env, base_uri, server_software))
    variables.update(configured)
    return variables


def _fixed_variables(app_env: str, base_uri: str, server_software: str) -> dict[str, str]:
    """The variables that a login shell's profile must not change. All types have all of them, as in Passenger."""
    types = APP_TYPES.values()
    of_types = (pair for app_type in types for pair in app_type.environment)
    app_env_names = (name for app_type in types for name in app_type.app_env_variables)
    variables = {**dict(of_types), **dict.fromkeys((*app_env_names, "PASSENGER_APP_ENV"), app_env)}
    variables.update(IN_PASSENGER="1", SERVER_SOFTWARE=server_software)
    if base_uri not in ("", "/"):
        base_uri_names = (name for app_type in types for name in app_type.base_uri_variables)
        variables.update(dict.fromkeys((*base_uri_names, "PASSENGER_BASE_URI"), base_uri))
    return variables


def own_interpreter(app_root: str, candidates: Sequence[str]) -> Optional[str]:
    """The path of the app's own interpreter, such as that of its virtual environment; None: it has none.

    It is looked for by lstat, never opened.

    :param candidates: where it may be, below the app root.
    """
    for candidate in candidates:
        path = os.path.join(app_root, candidate)
        # A link whose target is missing counts, so that the start fails with its name: another interpreter would not
        # have the app's packages.
        if os.path.lexists(path):
            return path
    return None


def build_command(
    arguments: Sequence[str], environment: Mapping[str, str], kept: Sequence[str], app_root: str, shell: Optional[str]
) -> CommandLine:
    """The command line, through the user's login shell where that is asked for.

    :param kept: names of variables that keep their value whatever the shell's profile sets. Their values are passed in
        the environment under other names, because everybody can read a command line.
    :param shell: the path of the login shell; None: start the program without.
    """
    if shell is None:
        # A process that starts a program waits until it is executed, and a file of an app's user can make that take
        # long (by a lease, by a file system of the user's). So the spawner starts env(1), which executes the file.
        # env would take a name with "=" for a variable.
        prefix = () if "=" in arguments[0] else (_ENV,)
        return CommandLine((*prefix, *arguments), environment)
    names = [name for name in kept if _IDENTIFIER.match(name) and name not in _READ_ONLY and name in environment]
    saved = {_SAVED % number: environment[name] for number, name in enumerate(names)}
    steps = ['export %s="$%s"' % (name, other) for name, other in zip(names, saved)]
    steps += ["unset %s" % " ".join(saved)] if saved else []
    steps.append('cd -- "$1" && shift && exec "$@"')
    return CommandLine((shell, "-lc", "; ".join(steps), shell, app_root, *arguments), {**environment, **saved})


def kept_names(app_env: str, base_uri: str, server_software: str, configured: Mapping[str, str]) -> list[str]:
    """The names of the variables that a login shell's profile must not change."""
    return list(dict.fromkeys([*_fixed_variables(app_env, base_uri, server_software), *configured]))


def login_shell(identity: Identity, wanted: bool) -> Optional[str]:
    """The path of the user's login shell, if it is wanted and understands -lc; else None."""
    if wanted and identity.shell.startswith("/") and os.path.basename(identity.shell) in _LOGIN_SHELLS:
        return identity.shell if os.path.exists(identity.shell) else None
    return None
