"""`make bench`: the speed of Jumpseat and its peers, alternating rounds in one run, one table for each scenario."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.answers import EachWorker, check_page
from bench.contestants import Contestant, Measure, chosen
from bench.measure import run_round
from bench.results import PAGES, keep, new_record, shown
from bench.scenarios import SCENARIOS, Scenario
from bench.servers.base import MeasuredServer
from bench.servers.in_httpd import StaticFile
from bench.tables import Record, speed_table, speed_verdict

WARM_UP_REQUESTS = 50  # of each worker


class Names(click.ParamType):
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


def installed(contestants: list[Contestant], console: Console) -> list[Contestant]:
    """Those that are installed; the others are named."""
    for one in contestants:
        if one.missing():
            console.print("left out: %s (apt-get install %s)" % (one.title, one.missing()))
    return [one for one in contestants if not one.missing()]


def progress_bar(console: Console) -> Progress:
    """A bar that shows what is being measured, on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class SpeedComparison:
    """All contestants of one scenario, up at the same time; only one of them is loaded at a time."""

    def __init__(self, scenario: Scenario, contestants: list[Contestant], console: Console) -> None:
        self._scenario = scenario
        self._contestants = contestants
        self._console = console

    def run(self, rounds: int, seconds: int, connections: int, workers: int) -> Record:
        """Measure each contestant once per round, in turn.

        :returns: the record.
        """
        settings = {"rounds": rounds, "seconds": seconds, "connections": connections, "workers": workers}
        record = new_record(self._scenario, self._contestants, **settings)
        with contextlib.ExitStack() as stack, progress_bar(self._console) as progress:
            task = progress.add_task(self._scenario.title, total=(rounds + 2) * len(self._contestants))
            servers = []
            for contestant in self._contestants:
                progress.update(task, description="start %s" % contestant.title, advance=1)
                servers.append(contestant.make(self._scenario, workers))
                stack.callback(servers[-1].stop)
                servers[-1].start()
                self._check(contestant, servers[-1])
            for number in range(rounds):
                for contestant, server, kept in zip(self._contestants, servers, record["contestants"]):
                    progress.update(task, description="round %d %s" % (number + 1, contestant.title), advance=1)
                    url = "http://127.0.0.1:%d%s" % (server.httpd.port, self._scenario.path)
                    figures = run_round(url, server.processes(), connections, seconds)
                    kept["rounds"].append(asdict(figures))
                    if not self._console.is_terminal:
                        self._console.print("round %d  %-50s %8.0f/s" % (number + 1, contestant.title, figures.requests))
            for contestant, server in zip(self._contestants, servers):
                progress.update(task, description="check %s" % contestant.title, advance=1)
                self._check(contestant, server)
        return record

    def _check(self, contestant: Contestant, server: MeasuredServer) -> None:
        """See that the page is right, and that each worker serves it."""
        try:
            check_page(server.httpd.port, self._scenario)
            if not isinstance(server, StaticFile):
                answers = EachWorker(server.httpd.port, self._scenario, server.workers, WARM_UP_REQUESTS).run()
                if answers.wrong:
                    raise RuntimeError("%d wrong answers" % answers.wrong)
        except RuntimeError as error:
            raise click.ClickException("%s: %s\n%s" % (contestant.title, error, server.logs())) from error


@click.command()
@click.option("--scenario", type=Names(), default="wsgi", show_default=True, help="One or more of: %s." % ", ".join(SCENARIOS))
@click.option("--peers", type=Names(), default="", help="Only those whose names contain one of these words.")
@click.option("--rounds", default=5, show_default=True, help="Rounds for each server, alternating.")
@click.option("--seconds", default=4, show_default=True, help="Length of a round.")
@click.option("--connections", default=16, show_default=True, help="Kept-alive connections.")
@click.option("--workers", default=2, show_default=True, help="App processes.")
@click.option("--output", type=Path, default=PAGES, help="The folder of the pages and of the figures of every round.")
def bench(
    scenario: tuple[str, ...], peers: tuple[str, ...], rounds: int, seconds: int, connections: int, workers: int,
    output: Path,
) -> None:  # fmt: skip
    """Compare the speed of the servers."""
    console = Console(width=None if Console().is_terminal else 140)
    for one in scenarios_of(scenario):
        contestants = installed(chosen(one, Measure.SPEED, peers), console)
        record = SpeedComparison(one, contestants, console).run(rounds, seconds, connections, workers)
        table, verdict = speed_table(record), speed_verdict(record)
        console.print(table.terminal(one.title))
        console.print(verdict)
        console.print("written: %s" % keep(output, one, "speed", record, shown(record, table, verdict)))


if __name__ == "__main__":
    bench()
