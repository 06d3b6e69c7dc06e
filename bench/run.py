"""`make bench`: hello world through Jumpseat and its peers, alternating rounds in one run, one table."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import urllib.request
from typing import Optional

import click
from rich.console import Console
from rich.table import Table

from bench.measure import Figures, run_round
from bench.servers import ALL, PATHS, MeasuredServer


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Rounds for each server, alternating.")
@click.option("--seconds", default=4, show_default=True, help="Length of a round.")
@click.option("--connections", default=16, show_default=True, help="Kept-alive connections.")
@click.option("--workers", default=2, show_default=True, help="App processes.")
@click.option("--only", multiple=True, help="Run only servers whose name contains this.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures of every round as JSON.")
def bench(rounds: int, seconds: int, connections: int, workers: int, only: tuple[str, ...], as_json: bool) -> None:
    """Compare the servers. Those whose Debian package is not installed are named and left out."""
    console = Console(stderr=as_json)
    chosen = [kind for kind in ALL if not only or any(word.lower() in kind.name.lower() for word in only)]
    for kind in [kind for kind in chosen if kind.missing()]:
        console.print("left out: %s (apt-get install %s)" % (kind.name, kind.missing()))
    running = [kind(workers) for kind in chosen if not kind.missing()]
    with contextlib.ExitStack() as stack:
        for server in running:
            stack.callback(server.stop)
            server.start()
            warm_up(server)
        results = compare(running, rounds, seconds, connections, console)
    if as_json:
        json.dump({name: [vars(figures) for figures in rows] for name, rows in results.items()}, sys.stdout, indent=2)
    else:
        console.print(table(results, "%d rounds of %d s, %d connections, %d workers; median [min-max]"
                            % (rounds, seconds, connections, workers)))  # fmt: skip


def url_of(server: MeasuredServer) -> str:
    """Where the server answers."""
    return "http://127.0.0.1:%d%s" % (server.httpd.port, PATHS.get(type(server), "/hello"))


def warm_up(server: MeasuredServer) -> None:
    """Have the app loaded, and see that it answers what it should."""
    plain = "http://127.0.0.1:%d/hello" % server.httpd.port
    for url in (plain, url_of(server)):
        with urllib.request.urlopen(url, timeout=60) as answer:
            body = answer.read()
        if body != b"Hello, World!":
            raise RuntimeError("%s answered %r" % (server.name, body))


def compare(
    running: list[MeasuredServer], rounds: int, seconds: int, connections: int, console: Console
) -> dict[str, list[Figures]]:
    """Every server once per round, in turn."""
    results: dict[str, list[Figures]] = {server.name: [] for server in running}
    for number in range(rounds):
        for server in running:
            figures = run_round(url_of(server), server.pids(), connections, seconds)
            results[server.name].append(figures)
            console.print("round %d  %-34s %8.0f/s" % (number + 1, server.name, figures.requests))
    return results


def table(results: dict[str, list[Figures]], title: str) -> Table:
    """The medians, fastest first."""
    found = Table(title=title)
    for heading in ("server", "requests/s", "CPU us/request", "p99 ms", "errors"):
        found.add_column(heading, justify="left" if heading == "server" else "right")
    ordered = sorted(results.items(), key=lambda item: -statistics.median(row.requests for row in item[1]))
    for name, rows in ordered:
        found.add_row(
            name,
            spread([row.requests for row in rows], 0),
            spread([row.cpu for row in rows], 0),
            spread([row.p99 for row in rows], 1),
            str(sum(row.errors for row in rows)),
        )
    return found


def spread(values: list[float], digits: int, median: Optional[float] = None) -> str:
    """Median and range."""
    middle = statistics.median(values) if median is None else median
    return "%.*f [%.*f-%.*f]" % (digits, middle, digits, min(values), digits, max(values))


if __name__ == "__main__":
    bench()
