"""`passenger-memory-stats`: what each process has in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from spawner.cli.admin_client import ask
from spawner.cli.console import page_console
from spawner.cli.memory_stats import render
from spawner.cli.options import chosen_instance, of_an_instance
from spawner.cli.passenger.usage import TwinCommand
from spawner.version import VERSION


@click.command("passenger-memory-stats", cls=TwinCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--no-apache", is_flag=True, help="Do not show Apache's processes.")
@click.option("--no-nginx", is_flag=True, help="No effect: there are no processes of nginx.")
@click.version_option(VERSION, prog_name="passenger-memory-stats")
@of_an_instance
def passenger_memory_stats(
    no_apache: bool, no_nginx: bool, instance: Optional[str], registry: Optional[Path]
) -> None:
    """Show how much memory the processes of Apache, of Jumpseat and of each app use, as `jumpseat memory-stats` does.

    Exit status: 0; 1 no instance runs, several run, none has the name, or wrong usage; 2 no access or no answer.

    \b
    Example:
      sudo passenger-memory-stats
    """
    processes = ask(chosen_instance(instance, registry).admin_socket, "memory")["processes"]
    console = page_console()
    for part in render([one for one in processes if not (no_apache and one["kind"] == "httpd")]):
        console.print(part)
