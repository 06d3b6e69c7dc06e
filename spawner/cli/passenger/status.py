"""`passenger-status`: the state of the pool in several forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Optional

import click

from spawner.cli.admin_client import ask
from spawner.cli.backtraces import show as show_backtraces
from spawner.cli.completion import complete_instance
from spawner.cli.console import page_console
from spawner.cli.instances import Instance
from spawner.cli.options import WORD, instance_option, named_instance, registry_option
from spawner.cli.passenger.status_xml import status_xml
from spawner.cli.passenger.usage import TwinCommand
from spawner.cli.status import describe, page_of
from spawner.cli.units import printable
from spawner.version import VERSION

_NO_UNION_STATION = "There is no Union Station here: `jumpseat status --json` and `jumpseat requests` tell what runs."


@click.command("passenger-status", cls=TwinCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=WORD, required=False, shell_complete=complete_instance)
@click.option(
    "--show",
    type=click.Choice(["pool", "server", "requests", "backtraces", "xml", "json", "union_station"]),
    default="pool",
    help="What to show. pool, the default, is the text for people.",
)
@click.option("--no-header", is_flag=True, help="Do not print the lines about the instance.")
@click.option("--force-colors", is_flag=True, help="Print colours even if the output is not a terminal.")
@click.option("-v", "--verbose", is_flag=True, help="Print more about each app.")
@click.version_option(VERSION, prog_name="passenger-status")
@instance_option
@registry_option
def passenger_status(
    name: Optional[str],
    show: str,
    no_header: bool,
    force_colors: bool,
    verbose: bool,
    instance: Optional[str],
    registry: Optional[Path],
) -> None:
    """Show the apps of a running Apache, as `jumpseat status` does.

    NAME is the name of an instance or the pid of its httpd. It is needed when several instances run.

    Exit status: 0; 1 no instance runs, several run, none has the name, or wrong usage; 2 no access or no answer.

    \b
    Examples:
      sudo passenger-status
      sudo passenger-status --show=xml
    """
    chosen = named_instance(name, instance, registry)
    shown: dict[str, Callable[[Instance], None]] = {
        "pool": lambda one: _pool(describe(one), no_header, force_colors, verbose),
        "xml": lambda one: click.echo(status_xml(describe(one))),
        "json": lambda one: click.echo(json.dumps(describe(one), indent=2)),
        "server": _requests,
        "requests": _requests,
        "backtraces": lambda one: show_backtraces(ask(one.admin_socket, "backtraces")["processes"]),
        "union_station": _no_union_station,
    }
    shown[show](chosen)


def _pool(answer: dict[str, Any], no_header: bool, force_colors: bool, verbose: bool) -> None:
    console = page_console(force_colors)
    for part in page_of(answer)[2 if no_header and answer["groups"] else 0 :]:
        console.print(part)
    for group in answer["groups"] if verbose else []:
        click.echo()
        for name in ("name", "startup_file", "environment", "server_name", "base_uri", "spawn_method", "target"):
            click.echo("%-16s%s" % (name, printable(str(group[name]))))


def _requests(instance: Instance) -> None:
    click.echo(json.dumps({"requests": ask(instance.admin_socket, "requests")["requests"]}, indent=2))


def _no_union_station(instance: Instance) -> None:
    raise click.ClickException(_NO_UNION_STATION)
