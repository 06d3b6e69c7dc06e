"""`jumpseat reopen-logs`: has the spawner reopen the log files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

import click

from spawner.cli.admin_client import ask
from spawner.cli.arguments import chosen_instance, instance_options, json_option
from spawner.cli.console import printable


@click.command("reopen-logs", short_help="Reopen the log files")
@json_option
@instance_options
def reopen_logs(as_json: bool, instance: Optional[str], registry: Optional[Path]) -> None:
    """Reopen PassengerLogFile and the log files of the apps, after they were renamed. For root only.

    Apache itself opens its ErrorLog. A graceful restart of Apache reopens ErrorLog and all these files. So log rotation
    that reloads Apache does not need this command.

    Exit status: 0 done; 1 a file cannot be opened, or no instance; 2 wrong usage, no access or no answer.

    \b
    Example, in a logrotate rule:
      postrotate
          jumpseat reopen-logs
      endscript
    """
    logs = ask(chosen_instance(instance, registry).admin_socket, "reopen_logs")["logs"]
    if as_json:
        click.echo(json.dumps({"logs": logs}))
        return
    for path in logs:
        click.echo("Reopened %s" % printable(path))
    nothing = "There was nothing to reopen: neither PassengerLogFile nor an app's PassengerAppLogFile is in use."
    click.echo("All done." if logs else nothing)
