"""The command `jumpseat`: wiring only."""

from __future__ import annotations

import click

from spawner.cli.about import about
from spawner.cli.backtraces import backtraces
from spawner.cli.detach_process import detach_process
from spawner.cli.list_instances import list_instances
from spawner.cli.memory_stats import memory_stats
from spawner.cli.module_config import module_config
from spawner.cli.program import ProgramGroup
from spawner.cli.reopen_logs import reopen_logs
from spawner.cli.requests import requests
from spawner.cli.restart_app import restart_app
from spawner.cli.status import status
from spawner.cli.validate_install import validate_install
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
    module_config,
    about,
):
    jumpseat.add_command(command)
