"""`jumpseat status`: what runs in an instance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import click

from spawner.cli.admin_client import ask
from spawner.cli.errors import NoAnswer
from spawner.cli.instances import choose_instance, find_instances, registry_folders
from spawner.cli.status_view import render, status_console

SCHEMA = 1


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON (docs/status-json.md).")
@click.option(
    "--registry",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that PassengerInstanceRegistryDir names; also PASSENGER_INSTANCE_REGISTRY_DIR.",
)
def status(name: Optional[str], as_json: bool, registry: Optional[Path]) -> None:
    """Show the apps of a running Apache, their processes and their last failures.

    NAME is an instance's name (httpd-1203) or the pid of its httpd, needed where several run.
    Root sees all apps, others those that run as them.

    Exit status: 0 an instance answered; 1 none runs, several run, or none has the name; 2 no access or no answer.
    """
    folders = registry_folders(registry)
    instance = choose_instance(find_instances(folders), name, folders)
    answer = ask(instance.admin_socket, "status")
    if as_json:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=True))
        return
    _show(answer)


def _show(answer: dict[str, Any]) -> None:
    if answer.get("schema") != SCHEMA:
        raise NoAnswer(
            "The running spawner answers in schema %s, this command reads %d: restart Apache after the upgrade"
            % (answer.get("schema"), SCHEMA)
        )
    try:
        page = list(render(answer))
    except KeyError as missing:
        raise NoAnswer("The spawner's answer lacks %s" % missing) from None
    console = status_console()
    for part in page:
        console.print(part)
