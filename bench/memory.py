"""`make bench-memory`: what one more worker costs, beside peers.

A worker's cost is the difference between the memory of an app with many workers and with few, by added worker. The
memory of an app is that of all processes that hold it, each worker having served as many requests: what is private to
them (USS: Private_Clean and Private_Dirty), and their proportional set sizes (PSS: shared pages count once).
"""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from bench.answers import EachWorker, check_page
from bench.command_line import Names, Steps, make_console, participants, scenarios_of, stop_servers_on_sigterm
from bench.contestants import Contestant, Measure
from bench.private_httpd import wait_until
from bench.results import PAGES, keep, new_record
from bench.scenarios import SCENARIOS, Scenario
from bench.servers.base import MeasuredServer
from bench.tables import Record, memory_table, memory_verdict


class MemoryComparison:
    """One contestant of a scenario after the other, with few and with many workers.

    :param each: requests that each worker serves.
    :param objects: megabytes of objects that an app holds that has a file large_objects.txt.
    """

    def __init__(self, scenario: Scenario, each: int, objects: int, console: Console) -> None:
        self._scenario = scenario
        self._each = each
        self._objects = objects
        self._console = console

    def run(self, contestants: list[Contestant], rounds: int, few: int, many: int) -> Record:
        """Measure each contestant once per round.

        :returns: the record.
        """
        terms = "%d and %d workers, %d requests to each" % (few, many, self._each)
        terms += ", %d MB of objects" % self._objects if self._objects else ""
        record = {**new_record(self._scenario, contestants, terms), "few": few, "many": many}
        with Steps(self._console, self._scenario.title, 2 * rounds * len(contestants)) as steps:
            for number in range(rounds):
                for contestant, kept in zip(contestants, record["contestants"]):
                    found = {}
                    for name, workers in (("few", few), ("many", many)):
                        steps.begin("round %d, %s, %d workers" % (number + 1, contestant.title, workers))
                        found[name] = self._measure(contestant, workers)
                    kept["rounds"].append(found)
        return record

    def _measure(self, contestant: Contestant, workers: int) -> Record:
        server = contestant.make(self._scenario, workers)
        if self._objects:
            (server.app_root / "large_objects.txt").write_text(str(self._objects))
        try:
            server.start()
            return self._load(server)
        except RuntimeError as error:
            raise click.ClickException("%s: %s\n%s" % (contestant.title, error, server.logs())) from error
        finally:
            server.stop()

    def _load(self, server: MeasuredServer) -> Record:
        port, workers = server.httpd.port, server.workers
        check_page(port, self._scenario)
        tenth = EachWorker(port, self._scenario, workers, self._each // 10).run()
        wait_until(lambda: len(server.app_processes()) >= workers, "not all workers are there")
        early = sizes(server)
        rest = EachWorker(port, self._scenario, workers, self._each - self._each // 10).run()
        served = (tenth.by_worker + rest.by_worker).values()
        requests = {"least": min(served), "most": max(served), "wrong": tenth.wrong + rest.wrong}
        return {**requests, "early": early, "late": sizes(server), "processes": len(server.app_processes())}


def sizes(server: MeasuredServer) -> Record:
    """Bytes of the processes that hold the app."""
    sizes_of_each = [process.memory_full_info() for process in server.app_processes()]
    return {name: sum(getattr(size, name) for size in sizes_of_each) for name in ("uss", "pss")}


@click.command()
@click.option("--scenario", type=Names(), default="django", show_default=True, help=", ".join(SCENARIOS))
@click.option("--peers", type=Names(), default="", help="Only those whose names contain one of these words.")
@click.option("--rounds", default=1, show_default=True, help="How often each server is measured.")
@click.option("--few", default=2, show_default=True, help="App processes at first.")
@click.option("--many", default=8, show_default=True, help="App processes then.")
@click.option("--requests", default=1000, show_default=True, help="Requests that each worker serves.")
@click.option("--objects", default=0, show_default=True, help="Megabytes of objects that the Django site holds.")
@click.option("--output", type=Path, default=PAGES, help="The folder of the pages and of all figures.")
def bench(
    scenario: tuple[str, ...], peers: tuple[str, ...], rounds: int, few: int, many: int, requests: int, objects: int,
    output: Path,
) -> None:  # fmt: skip
    """Compare the memory of the servers."""
    stop_servers_on_sigterm()
    console = make_console()
    for one in scenarios_of(scenario):
        contestants = participants(one, Measure.MEMORY, peers, console)
        record = MemoryComparison(one, requests, objects, console).run(contestants, rounds, few, many)
        console.print(memory_table(record).terminal("%s: megabytes" % one.title))
        console.print(memory_verdict(record))
        console.print("written: %s" % keep(output, one, "memory", record))


if __name__ == "__main__":
    bench()
