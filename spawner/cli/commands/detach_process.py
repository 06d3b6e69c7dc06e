"""`jumpseat detach-process`: has one process finish its requests and end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import click

from spawner.cli.admin_client import ask
from spawner.cli.arguments import chosen_instance, instance_options, json_option
from spawner.cli.completion import complete_process
from spawner.cli.console import printable
from spawner.cli.program import NoSuchApp


@click.command("detach-process", short_help="Let one process finish its requests and end")
@click.argument("pid", type=click.IntRange(min=1), shell_complete=complete_process)
@click.option("--ignore-nonexistant-pid", is_flag=True, help="Exit with 0 when there is no such process.")
@json_option
@instance_options
def detach_process(
    pid: int, ignore_nonexistant_pid: bool, as_json: bool, instance: Optional[str], registry: Optional[Path]
) -> None:
    """Take process PID out of its app. It finishes its requests, then it ends.

    Jumpseat starts another worker if the app needs one. A preloader ends at once, and its workers continue to serve;
    when the app needs another worker, it is loaded again. Root may detach a process of any app. Other users may
    detach processes of the apps that run as them.

    Exit status: 0 the process was told to end; 1 no such process of an app, or no instance; 2 wrong usage (with
    passenger-config: 1), no access or no answer.

    \b
    Example:
      sudo jumpseat detach-process 4711
    """
    chosen = chosen_instance(instance, registry)
    try:
        detached: Optional[dict[str, Any]] = ask(chosen.admin_socket, "detach_process", pid=pid)
    except NoSuchApp as error:
        if not ignore_nonexistant_pid:
            raise
        detached = None
        click.echo(error.format_message(), err=True)
    group, kind = (detached["group"], detached.get("kind", "worker")) if detached is not None else (None, None)
    if as_json:
        click.echo(json.dumps({"pid": pid, "detached": detached is not None, "group": group, "kind": kind}))
    elif group is not None:
        text = "Process %d of %s finishes its requests and ends."
        if kind == "preloader":
            text = "Preloader %d of %s ends; its workers continue to serve."
        click.echo(text % (pid, printable(group)))
