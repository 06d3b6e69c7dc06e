"""What the commands that measure have in common: how contestants are chosen, how progress is shown."""

from __future__ import annotations

import signal
import sys

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.contestants import Contestant, Measure, chosen
from bench.scenarios import SCENARIOS, Scenario


class Names(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Words between commas, as SCENARIO=rack,rails gives them."""

    name = "names"

    def convert(self, value: object, param: object, ctx: object) -> tuple[str, ...]:
        """Called by click."""
        return value if isinstance(value, tuple) else tuple(filter(None, str(value).replace(" ", "").split(",")))


def scenarios_of(names: tuple[str, ...]) -> list[Scenario]:
    """The scenarios of these names.

    :raises click.UsageError: there is none of a name.
    """
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise click.UsageError("no scenario %s; there are %s" % (", ".join(unknown), ", ".join(SCENARIOS)))
    return [SCENARIOS[name] for name in names]


def participants(scenario: Scenario, measure: Measure, words: tuple[str, ...], console: Console) -> list[Contestant]:
    """Those that take part and are installed; the others are named."""
    contestants = chosen(scenario, measure, words)
    for one in contestants:
        if one.missing():
            console.print("left out: %s (apt-get install %s)" % (one.title, one.missing()))
    return [one for one in contestants if not one.missing()]


class Steps:
    """Shows what is being measured: a bar on a terminal, lines otherwise.

    :param count: of all steps.
    """

    def __init__(self, console: Console, title: str, count: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._console = console
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._title = title
        self._task = self._progress.add_task(title, total=count)

    def __enter__(self) -> Steps:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def begin(self, what: str) -> None:
        """The next step begins."""
        text = "%s: %s" % (self._title, what)
        self._progress.update(self._task, description=text, advance=1)
        if not self._console.is_terminal:
            self._console.print(text)


def make_console() -> Console:
    """The terminal, or a file with lines that are wide enough for the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=150)


def stop_servers_on_sigterm() -> None:
    """Have SIGTERM end this program as Ctrl-C does: the servers have sessions of their own and would live on."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
