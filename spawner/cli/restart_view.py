"""How restarts get on: a bar per app on a terminal that is wide enough, a line per step elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Iterable, Optional

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from spawner.cli.console import page_console
from spawner.cli.failure_view import error_mark, failure_details
from spawner.cli.units import printable

_WIDE = 100  # columns: room for an app's name, a bar, what is told and the time


class RestartView:
    """Shows steps while a `with` block runs.

    :param silent: shows nothing: the output is for a program.
    """

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._console = page_console()
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, str] = {}
        self._bars: Optional[Progress] = None

    def __enter__(self) -> "RestartView":
        if self._console.is_terminal and self._console.width >= _WIDE and not self._silent:
            name, told = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[told]}"))
            self._bars = Progress(name, BarColumn(), told, TimeElapsedColumn(), console=self._console)
            self._bars.start()
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def step(self, told: dict[str, Any]) -> None:
        """Show one step of one app (docs/protocol.md, section 8)."""
        if self._silent:
            return
        name, words = printable(told["group"]), step_in_words(told)
        if self._bars is not None:
            self._move_bar(name, words, told)
        elif self._said.get(name) != words:
            self._said[name] = words
            click.echo("%s: %s" % (name, words))

    def _move_bar(self, name: str, words: str, told: dict[str, Any]) -> None:
        assert self._bars is not None
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=None, told="")
        total = told["total"] if told["stage"] in ("replacing", "completed") else None
        done = told["total"] if told["stage"] == "completed" else told["done"]
        if told["stage"] == "failed":
            self._bars.stop_task(self._tasks[name])
        self._bars.update(self._tasks[name], total=total, completed=done, told=words)


def step_in_words(told: dict[str, Any]) -> str:
    """`loading generation 5`, `2 of 4 workers replaced`, ..."""
    stage = told["stage"]
    if told.get("failure"):
        reason = printable(told["failure"]["summary"]).replace("\n", " ")
        return ("a start failed: %s" if stage == "failed" else "a start failed and is tried again: %s") % reason
    if stage == "replacing":
        return "%d of %d workers run the new code" % (told["done"], told["total"])
    return {
        "loading": "loading generation %d" % told["generation"],
        "completed": "the new code serves (generation %d)" % told["generation"],
        "failed": "generation %d cannot be loaded" % told["generation"],
        "superseded": "a newer restart has taken over",
    }.get(stage, printable(str(stage)))


def show_started(groups: Iterable[dict[str, Any]]) -> None:
    """A line for each app whose restart was begun and is not waited for."""
    for group in groups:
        if group["outcome"] == "started":
            click.echo("Restarting %s" % printable(group["group"]))


def show_failures(groups: Iterable[dict[str, Any]]) -> None:
    """Step, reason and traceback of each restart that failed, on standard error."""
    console = page_console(file=sys.stderr)
    for group in groups:
        if group["outcome"] == "failed":
            console.print(_failure(group))


def _failure(group: dict[str, Any]) -> Text:
    page = Text()
    name, failure = printable(group["group"]), group["failure"]
    if failure is None:
        page.append("%s: the restart failed: jumpseat status says more" % name, style="bold red")
        return page
    page.append("%s: the restart failed at step %s" % (name, printable(failure["step"])), style="bold red")
    page.append(error_mark(failure))
    page.append_text(failure_details(failure))
    return page
