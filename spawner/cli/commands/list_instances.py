"""`jumpseat list-instances`: the Apaches that have the module loaded and run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

import click

from spawner.cli.arguments import json_option, registry_option
from spawner.cli.console import PageTable, page_console, printable
from spawner.cli.instances import find_instances, registry_folders


@click.command("list-instances", short_help="List the running Apaches that have loaded the module")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when no instance runs.")
@json_option
@registry_option
def list_instances(quiet: bool, as_json: bool, registry: Optional[Path]) -> None:
    """List the running instances. An instance is one Apache that has loaded the module.

    Other commands take the name of an instance as --instance.

    Exit status: 0, also when no instance runs; 2 wrong usage.

    \b
    Example:
      jumpseat list-instances --json | jq -r '.[].name'
    """
    folders = registry_folders(registry)
    found = find_instances(folders)
    if as_json:
        facts = [
            {"name": one.name, "httpd_pid": one.httpd_pid, "server_root": one.server_root, "folder": str(one.folder)}
            for one in found
        ]
        click.echo(json.dumps(facts, indent=2))
    elif found:
        table = PageTable("Name", "PID", "Description", numeric=("PID",), foldable=("Description",))
        for one in found:
            table.add_row(one.name, str(one.httpd_pid), "Apache httpd, %s" % printable(one.server_root or "?"))
        page_console().print(table)
    elif not quiet:
        click.echo("No instance runs: looked in %s." % " and ".join(str(folder) for folder in folders))
