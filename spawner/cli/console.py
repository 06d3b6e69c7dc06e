"""Output for people: colours and folded lines on a terminal only, tables, durations, sizes, foreign text."""

from __future__ import annotations

import os
import re
import sys
from typing import IO, Any, Iterable, Optional, Sequence, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.style import Style
from rich.table import Table
from rich.text import Text

UNBOUNDED = 10_000  # columns: more than any page has
_LIBRARY_FOLDER = re.compile(r"\A/.*/(site|dist)-packages/(?=\S)")  # at the beginning of a group's name
_LEAST = 12  # columns into which a text can be folded and still be read


def duration(seconds: Optional[float]) -> str:
    """`4 s`, `3 min 20 s`, `5 h 2 min`, `12 d 3 h`; a dash for what is not known."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    for size, unit, smaller, smaller_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            text = "%d %s" % (whole // size, unit)
            return "%s %d %s" % (text, rest, smaller_unit) if rest else text
    return "%d s" % whole


def megabytes(size: Optional[int]) -> str:
    """`30.4 M` (of 1024 x 1024 bytes); a dash for what is not known."""
    return "-" if size is None else "%.1f M" % (size / 1048576)


def counted(number: int, noun: str) -> str:
    """`1 app`, `2 apps`."""
    return "%d %s" % (number, noun if number == 1 else noun + "s")


def printable(text: str) -> str:
    """Text from apps and folders without control characters, except line ends and tabs."""
    return "".join(mark if mark.isprintable() or mark in "\n\t" else "\N{REPLACEMENT CHARACTER}" for mark in text)


def short_names(names: Iterable[str]) -> dict[str, str]:
    """The names of app groups as a page shows them: `graphite (production)` for an app inside of a library folder.

    A name that would then be that of two groups stays whole.
    """
    whole = sorted(set(names))
    short = {name: _LIBRARY_FOLDER.sub("", name) for name in whole}
    taken = list(short.values())
    return {name: one if taken.count(one) == 1 else name for name, one in short.items()}


def page_console(force_colors: bool = False, file: Optional[IO[str]] = None) -> Console:
    """A console for a page: no colours where NO_COLOR is set, no folding where the output is no terminal.

    :param force_colors: colours, whatever the output and the environment are.
    :param file: standard output by default.
    """
    output = sys.stdout if file is None else file
    console = Console(file=output, highlight=False, emoji=False, markup=False, **_colors(force_colors))
    if output.isatty():
        return console
    plain = cast(IO[str], _WithoutTrailingBlanks(output))
    return Console(file=plain, highlight=False, emoji=False, markup=False, width=UNBOUNDED, **_colors(force_colors))


def _colors(forced: bool) -> dict[str, Any]:
    if forced:
        return {"force_terminal": True, "no_color": False, "color_system": "standard"}
    return {"color_system": None} if os.environ.get("NO_COLOR") else {}


class _WithoutTrailingBlanks:
    """An output for programs and files: without the blanks with which a page fills its lines.

    :param output: what is written goes there.
    """

    def __init__(self, output: IO[str]) -> None:
        self._output = output

    def write(self, text: str) -> int:
        """Write whole lines."""
        return self._output.write(re.sub(r"[ \t]+(?=\n|\Z)", "", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


class PageTable:
    """A table that leaves columns out where the terminal is narrow, rather than cut a number short.

    :param titles: of the columns.
    :param numeric: titles of those that are aligned on the right.
    :param foldable: titles of those whose text goes on in the next line where there is no room for it.
    :param expendable: titles of those that are left out where there is no room for all, the first one first.
    :param last: titles of those that follow where the others do not fit with their texts folded.
    """

    def __init__(
        self,
        *titles: str,
        numeric: Sequence[str] = (),
        foldable: Sequence[str] = (),
        expendable: Sequence[str] = (),
        last: Sequence[str] = (),
    ) -> None:
        self._titles = titles
        self._numeric = numeric
        self._foldable = foldable
        self._expendable = expendable
        self._last = last
        self._rows: list[tuple[Sequence[str], str]] = []

    def add_row(self, *cells: str, style: str = "") -> None:
        """Add a row.

        :param cells: as many as there are titles.
        """
        self._rows.append((cells, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._fitting(console, options)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._fitting(console, options))

    def _fitting(self, console: Console, options: ConsoleOptions) -> Table:
        """The table with as many columns as there is room for."""
        absent: list[str] = []
        table = self._table(absent)
        for title in self._expendable:
            if Measurement.get(console, options.update_width(UNBOUNDED), table).maximum <= options.max_width:
                break
            absent.append(title)
            table = self._table(absent)
        for title in self._last:
            least = self._table(absent, _LEAST)
            if Measurement.get(console, options.update_width(UNBOUNDED), least).maximum <= options.max_width:
                break
            absent.append(title)
            table = self._table(absent)
        return table

    def _table(self, absent: Sequence[str], longest: int = UNBOUNDED) -> Table:
        """The table without some columns; of texts that can be folded, the beginning."""
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        shown = [index for index, title in enumerate(self._titles) if title not in absent]
        for title in (self._titles[index] for index in shown):
            justify, no_wrap = "right" if title in self._numeric else "left", title not in self._foldable
            table.add_column(title, justify=justify, no_wrap=no_wrap, overflow="fold")  # type: ignore[arg-type]
        for cells, style in self._rows:
            table.add_row(*[self._beginning(index, cells[index], longest) for index in shown], style=Style.parse(style))
        return table

    def _beginning(self, index: int, cell: str, longest: int) -> str:
        return cell[:longest] if self._titles[index] in self._foldable else cell


def failure_details(failure: dict[str, Any]) -> Text:
    """What stands below the line that says what has failed.

    :param failure: as in the status answer (docs/status-json.md).
    """
    page = Text()
    page.append("\n%s" % printable(failure["summary"]))
    for name, value in failure.get("facts", {}).items():
        page.append("\n%s: %s" % (name, printable(value).replace("\n", ", ")))
    for line in printable(failure["detail"]).splitlines():
        page.append("\n    %s" % line)
    return page


def error_mark(failure: dict[str, Any]) -> str:
    """The id under which the log has the same failure."""
    return " (error %s)" % printable(failure["error_id"]) if failure["error_id"] else ""
