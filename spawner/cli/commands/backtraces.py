"""`jumpseat backtraces`: what every thread of running workers is doing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional, Sequence

import click

from spawner.cli.admin_client import ask
from spawner.cli.arguments import NON_EMPTY, app_fields, chosen_instance, instance_options, json_option
from spawner.cli.completion import complete_app_or_process
from spawner.cli.console import printable


@click.command(short_help="Show the stacks of all threads of running processes")
@click.argument("app", type=NON_EMPTY, required=False, metavar="[APP|PID]", shell_complete=complete_app_or_process)
@json_option
@instance_options
def backtraces(app: Optional[str], as_json: bool, instance: Optional[str], registry: Optional[Path]) -> None:
    """Show the stacks of all threads of running processes. The processes are not stopped.

    APP is the name of an app group, or a path. A path means every app whose root is this path or lies below it. PID
    means one process. The command also works for a worker that hangs: the stack shows the line of Python that does
    not return. For a call into C it shows the line that made the call. For a thread that runs no code of the app it
    says what the thread waits for.

    Exit status: 0; 1 no such app or process, or no instance; 2 wrong usage, no access or no answer.

    \b
    Examples:
      sudo jumpseat backtraces
      jumpseat backtraces /var/www/shop
      jumpseat backtraces 4711
    """
    chosen = chosen_instance(instance, registry)
    processes = ask(chosen.admin_socket, "backtraces", **app_fields(chosen, app, pids_too=True))["processes"]
    if as_json:
        click.echo(json.dumps({"processes": processes}, indent=2))
    else:
        show(processes)


def show(processes: Sequence[dict[str, Any]]) -> None:
    """One process after the other."""
    if not processes:
        click.echo("No process runs.")
    for process in processes:
        click.echo("%s %d of %s" % (process["kind"], process["pid"], printable(process["group"])))
        for line in printable(process["text"]).splitlines():
            click.echo("    %s" % line)
        click.echo()
