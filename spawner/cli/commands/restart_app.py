"""`jumpseat restart-app`: restarts apps, and with --wait shows the progress until the new code serves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Iterable, Optional, Sequence

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from spawner.cli.admin_client import ask, follow
from spawner.cli.arguments import (
    NON_EMPTY,
    AppGroup,
    app_from_menu,
    apps_around,
    apps_at_path,
    apps_named,
    chosen_instance,
    group_name_option,
    instance_options,
    json_option,
    list_of_apps,
)
from spawner.cli.completion import complete_app_root
from spawner.cli.console import error_mark, failure_details, page_console, printable
from spawner.cli.instances import Instance
from spawner.cli.program import FAILED, NoInstance, NoSuchApp, NotInTime

_WIDE = 100  # columns: room for an app's name, a bar, a sentence and the time

INTERRUPTED = 130


@click.command("restart-app", short_help="Restart apps; wait for the new code if wanted")
@click.argument("path", type=NON_EMPTY, required=False, shell_complete=complete_app_root)
@group_name_option
@click.option("--rolling", is_flag=True, help="Replace one worker after the other. No request waits.")
@click.option("--blocking", is_flag=True, help="End the old workers first. Requests wait until new ones are ready.")
@click.option("--wait", is_flag=True, help="Wait until the new code serves. Exit with 1 if it cannot be loaded.")
@click.option("--timeout", type=click.FloatRange(min=0.001), metavar="SECONDS", help="Wait, but not longer than this.")
@click.option("--ignore-app-not-running", is_flag=True, help="Exit with 0 when there is no such app.")
@click.option("--ignore-passenger-not-running", is_flag=True, help="Exit with 0 when no instance runs.")
@json_option
@instance_options
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
        return report_missing(error, ignore_passenger_not_running)
    except NoSuchApp as error:
        return report_missing(error, ignore_app_not_running)
    restart(chosen, groups, method, wait or timeout is not None, timeout, as_json)


def restart(
    instance: Instance,
    groups: Sequence[AppGroup],
    method: Optional[str],
    wait: bool,
    timeout: Optional[float],
    as_json: bool,
) -> None:
    """Restart these apps and show how it goes. If one fails, the program ends with 1.

    :param timeout: seconds to wait at most; None: without end.
    :raises NotInTime: they have passed.
    """
    fields = {"name": [group["name"] for group in groups], "method": method, "wait": wait}
    try:
        if not wait:
            answer = ask(instance.admin_socket, "restart_app", **fields)
        else:
            with RestartDisplay(as_json) as display:
                answer = follow(instance.admin_socket, "restart_app", display.show, timeout, **fields)
    except NotInTime:
        text = "Not finished after %g s; the restart continues: see jumpseat status"
        raise NotInTime(text % (timeout or 0)) from None
    except KeyboardInterrupt:
        click.echo("The restart continues: see jumpseat status", err=True)
        raise SystemExit(INTERRUPTED) from None
    _show_outcome(answer["groups"], as_json)


def _choose(groups: list[AppGroup], path: Optional[str], name: Optional[str]) -> list[AppGroup]:
    if name is not None:
        return apps_named(groups, name)
    if path is not None:
        return apps_at_path(groups, path)
    found = apps_around(groups, ".")
    if found:
        return found
    if sys.stdin.isatty() and sys.stdout.isatty():
        return app_from_menu(groups, ask_for_number)
    raise NoSuchApp("No app runs from this folder: give its PATH or --name. %s" % list_of_apps(groups))


def ask_for_number(question: str, highest: int) -> int:
    """A number that the user types; 0 where nothing is typed."""
    click.echo(question)
    number: int = click.prompt("Number", type=click.IntRange(0, highest), default=0, show_default=False)
    return number


def report_missing(error: click.ClickException, ignored: bool) -> None:
    """Raise the error that says that there is nothing to restart, or only print it."""
    if not ignored:
        raise error
    click.echo(error.format_message(), err=True)


def _show_outcome(groups: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"groups": groups}, indent=2))
    else:
        show_started(groups)
        show_failures(groups)
    if any(group["outcome"] == "failed" for group in groups):
        raise SystemExit(FAILED)


class RestartDisplay:
    """Shows the steps of restarts while a `with` block runs: a bar per app on a wide terminal, else a line per step.

    :param silent: shows nothing: the output is for a program.
    """

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._console = page_console()
        self._tasks: dict[str, TaskID] = {}
        self._shown: dict[str, str] = {}
        self._bars: Optional[Progress] = None

    def __enter__(self) -> "RestartDisplay":
        if self._console.is_terminal and self._console.width >= _WIDE and not self._silent:
            name, words = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[words]}"))
            self._bars = Progress(name, BarColumn(), words, TimeElapsedColumn(), console=self._console)
            self._bars.start()
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, step: dict[str, Any]) -> None:
        """Show one step of one app (docs/protocol.md, section 8)."""
        if self._silent:
            return
        name, words = printable(step["group"]), step_in_words(step)
        if self._bars is not None:
            self._move_bar(name, words, step)
        elif self._shown.get(name) != words:
            self._shown[name] = words
            click.echo("%s: %s" % (name, words))

    def _move_bar(self, name: str, words: str, step: dict[str, Any]) -> None:
        assert self._bars is not None  # nosec B101  # our own caller
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=None, words="")
        total = step["total"] if step["stage"] in ("replacing", "completed") else None
        done = step["total"] if step["stage"] == "completed" else step["done"]
        if step["stage"] == "failed":
            self._bars.stop_task(self._tasks[name])
        self._bars.update(self._tasks[name], total=total, completed=done, words=words)


def step_in_words(step: dict[str, Any]) -> str:
    """`loading generation 5`, `2 of 4 workers replaced`, ..."""
    stage = step["stage"]
    if step.get("failure"):
        reason = printable(step["failure"]["summary"]).replace("\n", " ")
        return ("a start failed: %s" if stage == "failed" else "a start failed and is tried again: %s") % reason
    if stage == "replacing":
        return "%d of %d workers run the new code" % (step["done"], step["total"])
    return {
        "loading": "loading generation %d" % step["generation"],
        "completed": "the new code serves (generation %d)" % step["generation"],
        "failed": "generation %d cannot be loaded" % step["generation"],
        "superseded": "a newer restart has replaced this one",
    }.get(stage, printable(str(stage)))


def show_started(groups: Iterable[dict[str, Any]]) -> None:
    """Print a line for each app whose restart was started without --wait."""
    for group in groups:
        if group["outcome"] == "started":
            click.echo("Restarting %s" % printable(group["group"]))


def show_failures(groups: Iterable[dict[str, Any]]) -> None:
    """Print step, reason and traceback of each restart that failed, on standard error."""
    console = page_console(file=sys.stderr)
    for group in groups:
        if group["outcome"] == "failed":
            console.print(_failure(group))


def _failure(group: dict[str, Any]) -> Text:
    page = Text()
    name, failure = printable(group["group"]), group["failure"]
    if failure is None:
        page.append("%s: the restart failed: see jumpseat status" % name, style="bold red")
        return page
    page.append("%s: the restart failed at step %s" % (name, printable(failure["step"])), style="bold red")
    page.append(error_mark(failure))
    page.append_text(failure_details(failure))
    return page
