"""`jumpseat requests`: each request that a worker is serving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional, Sequence

import click
from rich.console import RenderableType
from rich.text import Text

from spawner.cli.admin_client import ask
from spawner.cli.arguments import NON_EMPTY, app_fields, chosen_instance, instance_options, json_option
from spawner.cli.completion import complete_app_root
from spawner.cli.console import PageTable, duration, page_console, printable


@click.command(short_help="Show the requests that workers are serving")
@click.argument("app", type=NON_EMPTY, required=False, shell_complete=complete_app_root)
@json_option
@instance_options
def requests(app: Optional[str], as_json: bool, instance: Optional[str], registry: Optional[Path]) -> None:
    """Show each request that a worker is serving, the oldest first.

    APP is the name of an app group, or a path. A path means every app whose root is this path or lies below it.
    Requests in the queue are not shown, because no worker has them yet; `jumpseat status` shows how many wait. The
    query string of a URL is not shown.

    Exit status: 0; 1 no such app, or no instance; 2 wrong usage, no access or no answer.

    \b
    Examples:
      sudo jumpseat requests
      jumpseat requests /var/www/shop --json
    """
    chosen = chosen_instance(instance, registry)
    found = ask(chosen.admin_socket, "requests", **app_fields(chosen, app))["requests"]
    if as_json:
        click.echo(json.dumps({"requests": found}, indent=2))
    else:
        page_console().print(render(found))


def render(found: Sequence[dict[str, Any]]) -> RenderableType:
    """The table."""
    if not found:
        return Text("No request is being served.")
    table = PageTable(
        "Age", "Time left", "PID", "Thread", "Method", "Host", "Path", "App",
        numeric=("PID", "Thread"),
        foldable=("Host", "Path", "App"),
        expendable=("Thread",),
        last=("Time left", "Host", "Method"),
    )  # fmt: skip
    for request in found:
        left = request["deadline_in"]
        table.add_row(
            duration(request["age"]),
            "-" if left is None else duration(left),
            str(request["pid"]),
            str(request["thread"]),
            *[_one_line(request[name]) or "?" for name in ("method", "host", "path", "group")],
        )
    return table


def _one_line(text: str) -> str:
    return " ".join(printable(text).split())
