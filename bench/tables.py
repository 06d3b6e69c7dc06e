"""Tables from figures: for the terminal and for the pages below docs/bench."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any, Iterable

from rich.table import Table as TerminalTable

MEGABYTE = 1_000_000

#: What is kept of a comparison, as in the JSON files.
Record = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Words in rows, the first column to the left, the others to the right."""

    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        """As a table of a page."""
        rule = "|---|" + "---:|" * (len(self.headings) - 1)
        lines = ["| %s |" % " | ".join(row) for row in (self.headings, *self.rows)]
        return "\n".join([lines[0], rule, *lines[1:]]) + "\n"

    def terminal(self, title: str) -> TerminalTable:
        """As a table of a terminal."""
        made = TerminalTable(title=title)
        for number, heading in enumerate(self.headings):
            made.add_column(heading, justify="right" if number else "left")
        for row in self.rows:
            made.add_row(*row)
        return made


def spread(values: Iterable[float], digits: int = 0) -> str:
    """Median and range."""
    known = sorted(values)
    return "{0:,.{3}f} [{1:,.{3}f}-{2:,.{3}f}]".format(statistics.median(known), known[0], known[-1], digits)


def medians(record: Record, figure: str) -> dict[str, float]:
    """The median of one figure of each contestant, by its title."""
    return {
        one["title"]: statistics.median(figures[figure] for figures in one["rounds"]) for one in record["contestants"]
    }


def _ordered(record: Record, by: dict[str, float]) -> list[Record]:
    return sorted(record["contestants"], key=lambda one: by[one["title"]])


def speed_table(record: Record) -> Table:
    """The medians of the rounds, fastest first."""
    fastest_first = {title: -value for title, value in medians(record, "requests").items()}
    rows = []
    for one in _ordered(record, fastest_first):
        figures = {name: [figures[name] for figures in one["rounds"]] for name in one["rounds"][0]}
        milliseconds = [spread(figures[name], 1) for name in ("p50", "p99")]
        errors = str(sum(figures["errors"]))
        rows.append((one["title"], spread(figures["requests"]), spread(figures["cpu"]), *milliseconds, errors))
    return Table(("server", "requests/s", "CPU us/request", "p50 ms", "p99 ms", "errors"), rows)


def speed_verdict(record: Record) -> str:
    """This project beside the fastest peer, in one sentence, or nothing if there is no peer."""
    return _verdict(record, "requests", max, "the requests/s of the fastest peer")


def _verdict(record: Record, figure: str, best: Any, what: str) -> str:
    found = medians(record, figure)
    kinds = {one["title"]: one["kind"] for one in record["contestants"]}
    peers = [title for title in found if kinds[title] == "PEER"]
    ours = [title for title in found if kinds[title] == "OURS"]
    if not peers or not ours:
        return ""
    peer = best(peers, key=found.__getitem__)
    return "%s: %.2f times %s (%s)." % (ours[0], found[ours[0]] / found[peer], what, peer)
