"""A table that leaves columns out where the terminal is narrow, rather than cut a number short."""

from __future__ import annotations

from typing import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.style import Style
from rich.table import Table

UNBOUNDED = 10_000  # columns: more than any page has
_LEAST = 12  # columns into which a text can be folded and still be read


class PageTable:
    """Rows without lines around them, as commands of this kind print them.

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
