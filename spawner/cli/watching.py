"""`status --watch`: the same page again and again."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any, Callable

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from spawner.cli.console import page_console
from spawner.cli.errors import NoAnswer
from spawner.cli.status_view import render


def watch(interval: float, describe: Callable[[], dict[str, Any]], as_json: bool) -> None:
    """Show a status every so often until Ctrl-C: a live page on a terminal, pages one below the other elsewhere.

    A spawner that does not answer is said so on the page and asked again: it may just be starting anew.

    :param interval: seconds.
    :param as_json: a line of JSON each time instead.
    """
    console = page_console()
    with contextlib.suppress(KeyboardInterrupt):
        if as_json:
            while True:
                click.echo(json.dumps(describe()))
                time.sleep(interval)
        elif console.is_terminal:
            _live(console, interval, describe)
        else:
            _pages(console, interval, describe)


def _live(console: Console, interval: float, describe: Callable[[], dict[str, Any]]) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_page(describe), refresh=True)
            time.sleep(interval)


def _pages(console: Console, interval: float, describe: Callable[[], dict[str, Any]]) -> None:
    while True:
        console.print(_page(describe))
        console.print()
        time.sleep(interval)


def _page(describe: Callable[[], dict[str, Any]]) -> RenderableType:
    clock = Text(time.strftime("%Y-%m-%d %H:%M:%S"), style="dim")
    try:
        return Group(clock, *render(describe()))
    except (NoAnswer, KeyError) as error:
        reason = error.format_message() if isinstance(error, NoAnswer) else "The spawner's answer lacks %s" % error
        return Group(clock, Text(reason, style="bold red"))
