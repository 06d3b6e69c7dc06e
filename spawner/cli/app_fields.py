"""An app or a process that the user names on the command line, as fields of a command (docs/protocol.md, section 8)."""

from __future__ import annotations

from typing import Any, Optional

from spawner.cli import app_choice
from spawner.cli.admin_client import ask
from spawner.cli.instances import Instance


def fields_of(instance: Instance, app: Optional[str], pids_too: bool = False) -> dict[str, Any]:
    """What names the apps that are meant.

    :param app: an app group's name, a path at or above the app roots, or None: all.
    :param pids_too: a number means a process.
    :raises NoSuchApp: nothing of that name runs.
    """
    if app is None:
        return {}
    if pids_too and app.isdecimal():
        return {"pid": int(app)}
    groups = ask(instance.admin_socket, "status")["groups"]
    if any(group["name"] == app for group in groups):
        return {"name": app}
    return {"name": [group["name"] for group in app_choice.at_path(groups, app)]}
