"""`passenger-config`: restarts, detaches, lists, checks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

import click

from spawner.cli.admin_client import ask
from spawner.cli.arguments import (
    NON_EMPTY,
    app_from_menu,
    apps_named,
    apps_with_root_prefix,
    chosen_instance,
    group_name_option,
    instance_options,
    registry_option,
)
from spawner.cli.checks.apache import Apache
from spawner.cli.commands.about import FACTS
from spawner.cli.commands.detach_process import detach_process
from spawner.cli.commands.list_instances import list_instances
from spawner.cli.commands.reopen_logs import reopen_logs as reopen
from spawner.cli.commands.restart_app import ask_for_number, report_missing, restart
from spawner.cli.commands.validate_install import standard_checks, validate
from spawner.cli.completion import complete_app_root
from spawner.cli.console import page_console
from spawner.cli.instances import registry_folders
from spawner.cli.program import NoInstance, NoSuchApp, PassengerCommandGroup, SeveralInstances, unavailable
from spawner.version import VERSION


@click.group("passenger-config", cls=PassengerCommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="passenger-config")
def passenger_config() -> None:
    """Restart apps and check the installation, with the command names of Passenger. See also `jumpseat --help`."""


@passenger_config.command("restart-app", short_help="Restart the apps whose root begins with PREFIX")
@click.argument("prefix", type=NON_EMPTY, required=False, shell_complete=complete_app_root)
@group_name_option
@click.option("--rolling-restart", is_flag=True, help="Replace one worker after the other, whatever is configured.")
@click.option("--ignore-app-not-running", is_flag=True, help="Exit with 0 when there is no such app.")
@click.option("--ignore-passenger-not-running", is_flag=True, help="Exit with 0 when no instance runs.")
@instance_options
def restart_app(
    prefix: Optional[str],
    group_name: Optional[str],
    rolling_restart: bool,
    ignore_app_not_running: bool,
    ignore_passenger_not_running: bool,
    instance: Optional[str],
    registry: Optional[Path],
) -> None:
    """Restart every app whose root begins with PREFIX. A dot means the working directory, / means all apps.

    Without PREFIX and --name, the command shows a menu if it runs on a terminal. PassengerRollingRestarts decides how
    the workers are replaced. To wait until the new code serves, use `jumpseat restart-app --wait`.

    Exit status: 0 the restart has begun; 1 no such app, no instance, or wrong usage; 2 no access or no answer.

    \b
    Example:
      passenger-config restart-app /var/www/shop
    """
    if prefix is None and group_name is None and not sys.stdin.isatty():
        raise click.ClickException("Give the beginning of an app root, or --name.")
    if prefix is not None and group_name is not None:
        raise click.ClickException("Give the beginning of an app root or --name, not both.")
    try:
        chosen = chosen_instance(instance, registry)
        groups = ask(chosen.admin_socket, "status")["groups"]
        if group_name is not None:
            groups = apps_named(groups, group_name)
        elif prefix is not None:
            groups = apps_with_root_prefix(groups, prefix)
        else:
            groups = app_from_menu(groups, ask_for_number)
    except NoInstance as error:
        return report_missing(error, ignore_passenger_not_running)
    except NoSuchApp as error:
        return report_missing(error, ignore_app_not_running)
    restart(chosen, groups, "rolling" if rolling_restart else None, False, None, False)


@passenger_config.command("reopen-logs", short_help="Reopen the log files")
@click.option("--ignore-logs-not-available", is_flag=True, help="Exit with 0 when a log cannot be opened.")
@instance_options
@click.pass_context
def reopen_logs(
    context: click.Context, ignore_logs_not_available: bool, instance: Optional[str], registry: Optional[Path]
) -> None:
    """Reopen the log files after they were renamed. For root only.

    Exit status: 0 done; 1 a file cannot be opened, or no instance; 2 no access or no answer.
    """
    try:
        context.invoke(reopen, as_json=False, instance=instance, registry=registry)
    except click.ClickException as error:
        of_logs = error.exit_code == 1 and not isinstance(error, (NoInstance, SeveralInstances))
        if not (ignore_logs_not_available and of_logs):
            raise
        click.echo(error.format_message(), err=True)


@passenger_config.command("validate-install", short_help="Check the installation and say how to repair it")
@click.option("--auto", is_flag=True, help="No effect: this command never asks anything.")
@click.option("--validate-apache2", is_flag=True, help="No effect: this command always checks Apache.")
@click.option("--no-validate-passenger", is_flag=True, help="Check only Apache and its module.")
@click.option("--apxs2-path", metavar="PROGRAM", help="Apache's apxs.")
@click.option("--no-colors", is_flag=True, help="Print without colours.")
@click.option("--no-summary", is_flag=True, help="Do not print the last line, which has the counts.")
@registry_option
def validate_install(
    auto: bool,
    validate_apache2: bool,
    no_validate_passenger: bool,
    apxs2_path: Optional[str],
    no_colors: bool,
    no_summary: bool,
    registry: Optional[Path],
) -> None:
    """Check the installation, as `jumpseat validate-install` does. For each fault, say how to repair it.

    Exit status: 0 no fault; 1 at least one error; 2 only warnings; 9 the checks themselves failed.
    """
    checks = standard_checks(Apache(apxs=apxs2_path), registry_folders(registry))
    console = page_console()
    console.no_color = console.no_color or no_colors
    validate(checks[1:2] if no_validate_passenger else checks, False, console, not no_summary)


@passenger_config.command(
    "about", short_help="Print one fact of the installation", context_settings={"ignore_unknown_options": True}
)
@click.argument("what", required=False, metavar="WHAT", type=click.UNPROCESSED)
@click.pass_context
def about(context: click.Context, what: Optional[str]) -> None:
    """Print one fact of the installation: version, root, python, module, registry.

    Exit status: 0; 1 Jumpseat has no such fact.
    """
    if what is None:
        click.echo(context.get_help())
        return
    known = {"detect-apache2": "apxs", "resourcesdir": "root", **{name: name for name in FACTS}}
    fact = FACTS.get(known.get(what.lstrip("-"), ""))
    if fact is None:
        raise click.ClickException("There is no %s here. There are: %s" % (what, ", ".join(FACTS)))
    click.echo(fact[1]())


passenger_config.add_command(detach_process)
passenger_config.add_command(list_instances)
for name, reason in (
    ("api-call", "There is no HTTP API: use `jumpseat status --json`, `jumpseat restart-app` and the other commands."),
    ("system-metrics", "Use top, vmstat and free for the system, `jumpseat memory-stats` for the memory of apps."),
    ("system-properties", "Use hostnamectl for the system, `jumpseat about` for this installation."),
    ("build-native-support", "Apps need nothing that must be built. `make install` builds the Apache module."),
    ("install-standalone-runtime", "Passenger Standalone is not part of Jumpseat: there is no runtime to install."),
    ("install-agent", "There is no agent: the spawner runs in Python, inside Apache's own process group."),
):
    passenger_config.add_command(unavailable(name, reason))
