"""`jumpseat restart-app`: restarts apps, and waits until the new code serves where that is wanted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Optional, Sequence

import click

from spawner.cli import app_choice
from spawner.cli.admin_client import ask, follow
from spawner.cli.app_choice import Group
from spawner.cli.completion import complete_app_root, complete_group
from spawner.cli.errors import FAILED, NoInstance, NoSuchApp, NotInTime
from spawner.cli.instances import Instance
from spawner.cli.options import WORD, chosen_instance, json_option, of_an_instance
from spawner.cli.restart_view import RestartView, show_failures, show_started

INTERRUPTED = 130


@click.command("restart-app", short_help="Restart apps; wait for the new code if wanted")
@click.argument("path", type=WORD, required=False, shell_complete=complete_app_root)
@click.option(
    "--name", "group_name", type=WORD, metavar="GROUP", shell_complete=complete_group, help="The name of the app group."
)
@click.option("--rolling", is_flag=True, help="Replace one worker after the other. No request waits.")
@click.option("--blocking", is_flag=True, help="End the old workers first. Requests wait until new ones are ready.")
@click.option("--wait", is_flag=True, help="Wait until the new code serves. Exit with 1 if it cannot be loaded.")
@click.option("--timeout", type=click.FloatRange(min=0.001), metavar="SECONDS", help="Wait, but not longer than this.")
@click.option("--ignore-app-not-running", is_flag=True, help="Exit with 0 when there is no such app.")
@click.option("--ignore-passenger-not-running", is_flag=True, help="Exit with 0 when no instance runs.")
@json_option
@of_an_instance
def restart_app(
    path: Optional[str],
    group_name: Optional[str],
    rolling: bool,
    blocking: bool,
    wait: bool,
    timeout: Optional[float],
    ignore_app_not_running: bool,
    ignore_passenger_not_running: bool,
    as_json: bool,
    instance: Optional[str],
    registry: Optional[Path],
) -> None:
    """Restart the apps whose root is PATH or lies below it. / means all apps.

    Without PATH, the command restarts the app in whose folder you are. In any other folder it shows a menu if it runs
    on a terminal, and fails otherwise. Root may restart every app. Other users may restart the apps that run as them.
    Without --rolling and --blocking, PassengerRollingRestarts decides how the workers are replaced. With --wait, an
    app that has no process is started, to show whether it loads.

    Exit status: 0 done; 1 no such app, no instance, or the new code cannot be loaded; 2 wrong usage, no access or no
    answer; 3 not finished within --timeout (the restart continues); 130 ended by Ctrl-C while it waited (the restart
    continues).

    \b
    Examples:
      jumpseat restart-app --wait                    at the end of a deploy, in the app's folder
      jumpseat restart-app /var/www/shop --wait --timeout 120
      jumpseat restart-app --name "/var/www/shop (staging)" --blocking
      sudo jumpseat restart-app /                    all apps
    """
    if path is not None and group_name is not None:
        raise click.UsageError("Name the app by PATH or by --name, not by both.")
    if rolling and blocking:
        raise click.UsageError("A restart is either --rolling or --blocking, not both.")
    method = "rolling" if rolling else "blocking" if blocking else None
    try:
        chosen = chosen_instance(instance, registry)
        groups = _choose(ask(chosen.admin_socket, "status")["groups"], path, group_name)
    except NoInstance as error:
        return missing(error, ignore_passenger_not_running)
    except NoSuchApp as error:
        return missing(error, ignore_app_not_running)
    restart(chosen, groups, method, wait or timeout is not None, timeout, as_json)


def restart(
    instance: Instance,
    groups: Sequence[Group],
    method: Optional[str],
    wait: bool,
    timeout: Optional[float],
    as_json: bool,
) -> None:
    """Restart these apps and tell how it goes; ends the program with 1 where one fails.

    :param timeout: seconds to wait at most; None: without end.
    :raises NotInTime: they have passed.
    """
    fields = {"name": [group["name"] for group in groups], "method": method, "wait": wait}
    try:
        if not wait:
            answer = ask(instance.admin_socket, "restart_app", **fields)
        else:
            with RestartView(as_json) as view:
                answer = follow(instance.admin_socket, "restart_app", view.step, timeout, **fields)
    except NotInTime:
        raise NotInTime("Not finished after %g s; the restart goes on: see jumpseat status" % (timeout or 0)) from None
    except KeyboardInterrupt:
        click.echo("The restart goes on: see jumpseat status", err=True)
        raise SystemExit(INTERRUPTED) from None
    _tell(answer["groups"], as_json)


def _choose(groups: list[Group], path: Optional[str], name: Optional[str]) -> list[Group]:
    if name is not None:
        return app_choice.named(groups, name)
    if path is not None:
        return app_choice.at_path(groups, path)
    found = app_choice.around(groups, ".")
    if found:
        return found
    if sys.stdin.isatty() and sys.stdout.isatty():
        return app_choice.from_menu(groups, ask_for_number)
    raise NoSuchApp("No app runs from this folder: give its PATH or --name. %s" % app_choice.listing(groups))


def ask_for_number(question: str, highest: int) -> int:
    """A number that the user types; 0 where nothing is typed."""
    click.echo(question)
    number: int = click.prompt("Number", type=click.IntRange(0, highest), default=0, show_default=False)
    return number


def missing(error: click.ClickException, ignored: bool) -> None:
    """What is to be restarted is not there: raises the error, or only tells it."""
    if not ignored:
        raise error
    click.echo(error.format_message(), err=True)


def _tell(groups: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"groups": groups}, indent=2))
    else:
        show_started(groups)
        show_failures(groups)
    if any(group["outcome"] == "failed" for group in groups):
        raise SystemExit(FAILED)
