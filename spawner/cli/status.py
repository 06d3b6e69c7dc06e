"""`jumpseat status`: what runs in an instance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import click

from spawner.cli.admin_client import ask
from spawner.cli.completion import complete_instance
from spawner.cli.console import page_console
from spawner.cli.errors import NoAnswer
from spawner.cli.instances import Instance
from spawner.cli.options import WORD, instance_option, json_option, named_instance, registry_option
from spawner.cli.status_view import render
from spawner.cli.watching import watch

SCHEMA = 1


@click.command(short_help="Show apps, processes, restarts and failures")
@click.argument("name", type=WORD, required=False, shell_complete=complete_instance)
@json_option
@click.option(
    "--watch",
    "interval",
    type=click.FloatRange(min=0.1),
    is_flag=False,
    flag_value=2.0,
    metavar="[SECONDS]",
    help="Repeat every SECONDS seconds (2 if none are given), until Ctrl-C.",
)
@instance_option
@registry_option
def status(
    name: Optional[str], as_json: bool, interval: Optional[float], instance: Optional[str], registry: Optional[Path]
) -> None:
    """Show the apps of a running Apache, their processes and their last failures.

    NAME is the name of an instance (httpd-1203) or the pid of its httpd. It is needed when several instances run.
    Root sees all apps. Other users see the apps that run as them.

    Exit status: 0 an instance answered; 1 no instance runs, several run, or none has the name; 2 wrong usage, no
    access or no answer.

    \b
    Examples:
      sudo jumpseat status
      sudo jumpseat status --watch 1
      sudo jumpseat status --json | jq '.groups[] | {name, state}'
    """
    chosen = named_instance(name, instance, registry)
    if interval is not None:
        watch(interval, lambda: describe(chosen), as_json)
        return
    answer = describe(chosen)
    if as_json:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=True))
        return
    console = page_console()
    for part in page_of(answer):
        console.print(part)


def describe(instance: Instance) -> dict[str, Any]:
    """The instance's answer.

    :raises NoAnswer: it does not answer, or is of another version.
    """
    answer = ask(instance.admin_socket, "status")
    if answer.get("schema") != SCHEMA:
        raise NoAnswer(
            "The running spawner answers in schema %s, this command reads %d: restart Apache after the upgrade"
            % (answer.get("schema"), SCHEMA)
        )
    return answer


def page_of(answer: dict[str, Any]) -> list[Any]:
    """The page for people, part by part.

    :raises NoAnswer: the answer lacks what the schema promises.
    """
    try:
        return list(render(answer))
    except KeyError as missing:
        raise NoAnswer("The spawner's answer lacks %s" % missing) from None
