"""`passenger`: the name under which Passenger's users look for help."""

from __future__ import annotations

import click

from spawner.cli.passenger.status import passenger_status
from spawner.cli.passenger.usage import STANDALONE_ABSENT, TwinGroup, refusal
from spawner.version import VERSION


@click.group("passenger", cls=TwinGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="passenger")
def passenger() -> None:
    """Jumpseat under the name of Passenger. It runs apps behind Apache httpd.

    For all commands see `jumpseat --help`, `passenger-config --help` and `passenger-status --help`.
    """


@passenger.command("help")
@click.pass_context
def show_help(context: click.Context) -> None:
    """Show this help."""
    assert context.parent is not None
    click.echo(context.parent.get_help())


passenger.add_command(passenger_status, "status")
for command in ("start", "stop"):
    passenger.add_command(refusal(command, STANDALONE_ABSENT))
