"""`make bench`: the speed of Jumpseat and its peers, alternating rounds in one run, one table for each scenario."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from bench.answers import EachWorker, check_page
from bench.command_line import Names, Steps, make_console, participants, scenarios_of, stop_servers_on_sigterm
from bench.contestants import Contestant, Measure
from bench.measure import run_round
from bench.results import PAGES, keep, new_record
from bench.scenarios import SCENARIOS, Scenario
from bench.servers.base import MeasuredServer
from bench.servers.in_httpd import StaticFile
from bench.tables import Record, speed_table, speed_verdict

WARM_UP_REQUESTS = 50  # of each worker


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
        terms = "%d rounds of %d s, %d connections, %d workers" % (rounds, seconds, connections, workers)
        record = new_record(self._scenario, self._contestants, terms)
        steps = (rounds + 2) * len(self._contestants)
        with contextlib.ExitStack() as stack, Steps(self._console, self._scenario.title, steps) as self._steps:
            servers = [self._start(contestant, workers, stack) for contestant in self._contestants]
            of_each = list(zip(self._contestants, servers, record["contestants"]))
            for number in range(rounds):
                first = number % len(of_each)  # nobody is measured first, or after the same other, in each round
                for contestant, server, kept in of_each[first:] + of_each[:first]:
                    self._steps.begin("round %d, %s" % (number + 1, contestant.title))
                    url = "http://127.0.0.1:%d%s" % (server.httpd.port, self._scenario.path)
                    kept["rounds"].append(asdict(run_round(url, server.processes, connections, seconds)))
            for contestant, server in zip(self._contestants, servers):
                self._steps.begin("check %s" % contestant.title)
                self._check(contestant, server)
        return record

    def _start(self, contestant: Contestant, workers: int, stack: contextlib.ExitStack) -> MeasuredServer:
        self._steps.begin("start %s" % contestant.title)
        server = contestant.make(self._scenario, workers)
        stack.callback(server.stop)
        server.start()
        self._check(contestant, server)
        return server

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
@click.option("--scenario", type=Names(), default="wsgi", show_default=True, help=", ".join(SCENARIOS))
@click.option("--peers", type=Names(), default="", help="Only those whose names contain one of these words.")
@click.option("--rounds", default=5, show_default=True, help="Rounds for each server, alternating.")
@click.option("--seconds", default=3, show_default=True, help="Length of a round.")
@click.option("--connections", default=16, show_default=True, help="Kept-alive connections.")
@click.option("--workers", default=2, show_default=True, help="App processes.")
@click.option("--output", type=Path, default=PAGES, help="The folder of the pages and of the figures of every round.")
def bench(
    scenario: tuple[str, ...], peers: tuple[str, ...], rounds: int, seconds: int, connections: int, workers: int,
    output: Path,
) -> None:  # fmt: skip
    """Compare the speed of the servers."""
    stop_servers_on_sigterm()
    console = make_console()
    for one in scenarios_of(scenario):
        contestants = participants(one, Measure.SPEED, peers, console)
        record = SpeedComparison(one, contestants, console).run(rounds, seconds, connections, workers)
        console.print(speed_table(record).terminal(one.title))
        console.print(speed_verdict(record))
        console.print("written: %s" % keep(output, one, "speed", record))


if __name__ == "__main__":
    bench()
