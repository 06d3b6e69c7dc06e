"""Where pages for people go: colours on a terminal only, and not where NO_COLOR is set (rich sees to that)."""

from __future__ import annotations

from typing import IO, Optional

from rich.console import Console
from rich.table import Table

PLAIN_WIDTH = 200  # columns where the output is no terminal: lines are not to be folded


def page_console(force_colors: bool = False, file: Optional[IO[str]] = None) -> Console:
    """A console for a page.

    :param force_colors: as on a terminal, whatever the output is.
    :param file: standard output by default.
    """
    terminal = True if force_colors else None
    console = Console(file=file, highlight=False, emoji=False, markup=False, force_terminal=terminal)
    if console.file.isatty():
        return console
    return Console(file=file, highlight=False, emoji=False, markup=False, force_terminal=terminal, width=PLAIN_WIDTH)


def plain_table(*titles: str, numeric: tuple[str, ...] = (), footer: bool = False) -> Table:
    """A table without lines, as commands of this kind print them.

    :param titles: of the columns.
    :param numeric: titles of those that are aligned on the right.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_footer=footer)
    for title in titles:
        table.add_column(title, justify="right" if title in numeric else "left", no_wrap=True)
    return table
