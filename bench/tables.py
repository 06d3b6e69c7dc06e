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


def median(values: Iterable[float]) -> float:
    """The median."""
    return float(statistics.median(values))


def spread(values: Iterable[float], digits: int = 0) -> str:
    """Median and range, or the only value."""
    known = sorted(values)
    if len(known) == 1:
        return "{0:,.{1}f}".format(known[0], digits)
    return "{0:,.{3}f} [{1:,.{3}f}-{2:,.{3}f}]".format(median(known), known[0], known[-1], digits)


def speed_table(record: Record) -> Table:
    """The medians of the rounds, fastest first."""
    rows = []
    for one in sorted(record["contestants"], key=lambda one: -requests_per_second(one)):
        figures = {name: [figures[name] for figures in one["rounds"]] for name in one["rounds"][0]}
        milliseconds = [spread(figures[name], 1) for name in ("p50", "p99")]
        errors = str(sum(figures["errors"]))
        rows.append((one["title"], spread(figures["requests"]), spread(figures["cpu"]), *milliseconds, errors))
    return Table(("server", "requests/s", "CPU us/request", "p50 ms", "p99 ms", "errors"), rows)


def requests_per_second(contestant: Record) -> float:
    """The median."""
    return median(figures["requests"] for figures in contestant["rounds"])


def speed_verdict(record: Record) -> str:
    """This project beside the fastest peer, in one sentence, or nothing if there is no peer."""
    ours, peers = _sides(record)
    if not peers:
        return ""
    best = max(peers, key=requests_per_second)
    ratio = requests_per_second(ours) / requests_per_second(best)
    return "%s: %.2f times the requests/s of the fastest peer (%s)." % (ours["title"], ratio, best["title"])


def memory_table(record: Record) -> Table:
    """Megabytes, the smallest cost of an added worker first."""
    few, many = record["few"], record["many"]
    rows = []
    for one in sorted(record["contestants"], key=lambda one: median(added_private(record, one))):
        rounds = one["rounds"]
        whole = [spread((found[name]["late"]["pss"] / MEGABYTE for found in rounds), 1) for name in ("few", "many")]
        added = [
            spread(_added(record, one, when, size), 1)
            for when, size in (("late", "uss"), ("early", "uss"), ("late", "pss"))
        ]
        served = "%s-%s" % (
            min(found[name]["least"] for found in rounds for name in ("few", "many")),
            max(found[name]["most"] for found in rounds for name in ("few", "many")),
        )
        wrong = str(sum(found[name]["wrong"] for found in rounds for name in ("few", "many")))
        rows.append((one["title"], added[0], added[1], added[2], *whole, served, wrong))
    headings = ("private, added worker", "private, after a tenth", "PSS, added worker")
    sizes = ("PSS, %d workers" % few, "PSS, %d workers" % many)
    return Table(("server", *headings, *sizes, "requests of a worker", "errors"), rows)


def added_private(record: Record, contestant: Record) -> list[float]:
    """Private megabytes of one more worker, in each round."""
    return _added(record, contestant, "late", "uss")


def _added(record: Record, contestant: Record, when: str, size: str) -> list[float]:
    """Megabytes of one more worker, in each round."""
    workers = record["many"] - record["few"]
    return [
        (found["many"][when][size] - found["few"][when][size]) / workers / MEGABYTE for found in contestant["rounds"]
    ]


def memory_verdict(record: Record) -> str:
    """This project beside the smallest peer, in one sentence, or nothing if there is no peer."""
    ours, peers = _sides(record)
    if not peers:
        return ""
    best = min(peers, key=lambda one: median(added_private(record, one)))
    ratio = median(added_private(record, ours)) / median(added_private(record, best))
    return "%s: an added worker needs %.2f times the private memory of the smallest peer's (%s)." % (
        ours["title"], ratio, best["title"],
    )  # fmt: skip


def _sides(record: Record) -> tuple[Record, list[Record]]:
    ours = next(one for one in record["contestants"] if one["kind"] == "OURS")
    return ours, [one for one in record["contestants"] if one["kind"] == "PEER"]


TABLES = {"speed": (speed_table, speed_verdict), "memory": (memory_table, memory_verdict)}
