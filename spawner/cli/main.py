"""The programs that are installed: wiring only."""

from __future__ import annotations

import click

from spawner.cli.commands.about import about
from spawner.cli.commands.backtraces import backtraces
from spawner.cli.commands.detach_process import detach_process
from spawner.cli.commands.list_instances import list_instances
from spawner.cli.commands.memory_stats import memory_stats, passenger_memory_stats
from spawner.cli.commands.migrate import migrate
from spawner.cli.commands.module_config import module_config
from spawner.cli.commands.passenger_config import passenger_config
from spawner.cli.commands.passenger_status import passenger_status
from spawner.cli.commands.reopen_logs import reopen_logs
from spawner.cli.commands.requests import requests
from spawner.cli.commands.restart_app import restart_app
from spawner.cli.commands.status import status
from spawner.cli.commands.validate_install import validate_install
from spawner.cli.program import STANDALONE_ABSENT, PassengerCommandGroup, ProgramGroup, unavailable
from spawner.version import VERSION


@click.group(cls=ProgramGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="jumpseat")
def jumpseat() -> None:
    """An application server for Apache httpd: show what runs, restart apps, check the installation."""


for command in (
    status,
    restart_app,
    detach_process,
    memory_stats,
    requests,
    backtraces,
    list_instances,
    reopen_logs,
    validate_install,
    migrate,
    module_config,
    about,
):
    jumpseat.add_command(command)


@click.group("passenger", cls=PassengerCommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="passenger")
def passenger() -> None:
    """Jumpseat under the name of Passenger. It runs apps behind Apache httpd.

    For all commands see `jumpseat --help`, `passenger-config --help` and `passenger-status --help`.
    """


@passenger.command("help")
@click.pass_context
def show_help(context: click.Context) -> None:
    """Show this help."""
    assert context.parent is not None  # nosec B101  # a subcommand has a parent
    click.echo(context.parent.get_help())


passenger.add_command(passenger_status, "status")
for name in ("start", "stop"):
    passenger.add_command(unavailable(name, STANDALONE_ABSENT))

# Every program that is installed, by its name.
PROGRAMS: dict[str, click.Command] = {
    "jumpseat": jumpseat,
    "passenger": passenger,
    "passenger-config": passenger_config,
    "passenger-memory-stats": passenger_memory_stats,
    "passenger-status": passenger_status,
}
