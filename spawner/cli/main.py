"""The command `jumpseat`: wiring only."""

from __future__ import annotations

import click

from spawner.cli.module_config import module_config
from spawner.cli.status import status
from spawner.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="jumpseat")
def jumpseat() -> None:
    """An application server for Apache httpd: look at what runs, connect the module."""


jumpseat.add_command(status)
jumpseat.add_command(module_config)
