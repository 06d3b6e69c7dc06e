"""The environment and the command line of an app's process: built from scratch, nothing is inherited. Pure."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

from spawner.system.linux import Identity

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VENV_FOLDERS = ("venv", ".venv")
_LOGIN_SHELLS = frozenset(["bash", "zsh", "ksh", "sh"])
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Setting these is an error in one shell or another.
_READ_ONLY = frozenset(["_", "UID", "EUID", "GID", "EGID", "PPID", "GROUPS", "BASHOPTS", "BASH_VERSINFO", "SHELLOPTS"])
_INDIRECT = "/usr/bin/env"
_STASH = "JUMPSEAT_STASH_%d"


@dataclass(frozen=True)
class Command:
    """What is executed."""

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
    variables.update(_promised(app_env, base_uri, server_software))
    variables.update(configured)
    return variables


def _promised(app_env: str, base_uri: str, server_software: str) -> dict[str, str]:
    """What no shell's profile may change."""
    variables = dict.fromkeys(("WSGI_ENV", "RACK_ENV", "RAILS_ENV", "NODE_ENV", "PASSENGER_APP_ENV"), app_env)
    variables.update(IN_PASSENGER="1", SERVER_SOFTWARE=server_software, PYTHONUNBUFFERED="1")
    if base_uri not in ("", "/"):
        variables.update(dict.fromkeys(("RAILS_RELATIVE_URL_ROOT", "RACK_BASE_URI", "PASSENGER_BASE_URI"), base_uri))
    return variables


def choose_interpreter(configured: Optional[str], app_root: str) -> str:
    """PassengerPython, else the app's own environment, else python3 from PATH. Only looked at, never opened."""
    if configured:
        return configured
    for folder in VENV_FOLDERS:
        candidate = os.path.join(app_root, folder, "bin", "python")
        if os.path.lexists(
            candidate
        ):  # a dangling link is to fail by name: the system's Python would lack the packages
            return candidate
    return "python3"


def build_command(
    arguments: Sequence[str], environment: Mapping[str, str], kept: Sequence[str], app_root: str, shell: Optional[str]
) -> Command:
    """The command line, through the user's login shell where that is asked for.

    :param kept: names of variables that hold their value whatever the shell's profile sets. Their values travel in
        the environment under other names: a command line is there for everybody to read.
    :param shell: None for none.
    """
    if shell is None:
        # Whoever starts a program waits until it is executed, and a file of a tenant's can make that wait long (by a
        # lease, a file system of its own). So what is started is the system's, and that executes the tenant's.
        indirect = () if "=" in arguments[0] else (_INDIRECT,)  # which would take it for a variable
        return Command((*indirect, *arguments), environment)
    names = [name for name in kept if _IDENTIFIER.match(name) and name not in _READ_ONLY and name in environment]
    stash = {_STASH % number: environment[name] for number, name in enumerate(names)}
    steps = ['export %s="$%s"' % (name, stashed) for name, stashed in zip(names, stash)]
    steps += ["unset %s" % " ".join(stash)] if stash else []
    steps.append('cd -- "$1" && shift && exec "$@"')
    return Command((shell, "-lc", "; ".join(steps), shell, app_root, *arguments), {**environment, **stash})


def kept_names(app_env: str, base_uri: str, server_software: str, configured: Mapping[str, str]) -> list[str]:
    """The variables that a login shell's profile does not get to change."""
    return list(dict.fromkeys([*_promised(app_env, base_uri, server_software), *configured]))


def login_shell(identity: Identity, wanted: bool) -> Optional[str]:
    """The user's login shell, if it is to be used and is one that understands -lc."""
    if wanted and identity.shell.startswith("/") and os.path.basename(identity.shell) in _LOGIN_SHELLS:
        return identity.shell if os.path.exists(identity.shell) else None
    return None
