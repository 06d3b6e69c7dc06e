"""`jumpseat memory-stats` and `passenger-memory-stats`: what Apache, the spawner and the apps have in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterable, Iterator, Optional, Sequence

import click
from rich.text import Text

from spawner.cli.admin_client import ask
from spawner.cli.arguments import chosen_instance, instance_options, json_option
from spawner.cli.console import PageTable, megabytes, page_console, printable, short_names
from spawner.cli.program import PassengerCommand
from spawner.version import VERSION

_LEAST_PRIVATE = 20 * 1024 * 1024  # bytes; a worker that has less of its own is no reason for a hint
SIZES = ("rss", "pss", "uss", "swap")
_LAST = ("Resident", "Shares")
_TITLES = ("PID", "Parent", "Kind", "Resident", "Shares", "Private", "Swap", "Of")

Process = dict[str, Any]


@click.command("memory-stats", short_help="Show the memory of Apache, the spawner and the apps")
@json_option
@instance_options
def memory_stats(as_json: bool, instance: Optional[str], registry: Optional[Path]) -> None:
    """Show how much memory the processes of Apache, of Jumpseat and of each app use.

    Resident (RSS) counts a shared page in full for each process that shares it, so its sum is too large. Shares (PSS)
    divides a shared page among the processes that share it, so its sum is the real use. Private (USS) is the memory
    that becomes free when this process ends. Root sees every process. Other users see the apps that run as them.

    Exit status: 0 an instance answered; 1 no instance runs, several run, or none has the name; 2 wrong usage, no
    access or no answer.

    \b
    Example:
      sudo jumpseat memory-stats
    """
    processes = ask(chosen_instance(instance, registry).admin_socket, "memory")["processes"]
    if as_json:
        told = {"processes": processes, "total": totals(processes), "hints": hints(processes)}
        click.echo(json.dumps(told, indent=2))
        return
    console = page_console()
    for part in render(processes):
        console.print(part)


def totals(processes: Iterable[Process]) -> dict[str, Optional[int]]:
    """The sum of each size in bytes; None where it is not known of any process."""
    sums: dict[str, Optional[int]] = dict.fromkeys(SIZES)
    for process in processes:
        for size in SIZES:
            if process[size] is not None:
                sums[size] = (sums[size] or 0) + process[size]
    return sums


def hints(processes: Sequence[Process]) -> list[str]:
    """A sentence for each app whose workers share little with their preloader, as far as the sizes are known."""
    groups: dict[str, list[Process]] = {}
    for process in processes:
        if process["group"] is not None:
            groups.setdefault(process["group"], []).append(process)
    found = [_hint_of(name, members) for name, members in groups.items()]
    return [hint for hint in found if hint is not None]


def _hint_of(name: str, members: Sequence[Process]) -> Optional[str]:
    """Where each worker has more of its own than its preloader has in all, most was not there before the fork."""
    preloaders = [one["rss"] for one in members if one["kind"] == "preloader"]
    workers = [one["uss"] for one in members if one["kind"] == "worker"]
    if not preloaders or not workers or None in preloaders + workers:
        return None
    least, preloaded = min(workers), max(preloaders)
    if least < max(preloaded, _LEAST_PRIVATE):
        return None
    return (
        "%s: each worker has at least %s of its own, and the preloader %s in all. The app seems to import most of "
        "itself only in its workers. Import it in the entry file, so that workers share it (docs/preloading.md)."
        % (printable(name), megabytes(least), megabytes(preloaded))
    )


def render(processes: Sequence[Process]) -> Iterator[Any]:
    """The page: a table for Apache, one for Jumpseat, one for the apps, and the sum."""
    parts = [
        ("Apache", [one for one in processes if one["kind"] == "httpd"]),
        ("Jumpseat", [one for one in processes if one["kind"] == "spawner"]),
        ("Apps", [one for one in processes if one["group"] is not None]),
    ]
    for title, members in parts:
        if members:
            yield Text(title, style="bold")
            yield _table(members)
            yield Text()
    sums = totals(processes)
    text = "All together: %s resident, %s shares, %s private, %s swap" % tuple(megabytes(sums[size]) for size in SIZES)
    yield Text(text if processes else "No process runs.", style="bold")
    for hint in hints(processes):
        yield Text(hint, style="yellow")
    if any(process["pss"] is None for process in processes):
        yield Text("A dash means that the kernel does not say (before Linux 4.14, or a spawner that is not root).")
    if not any(one["kind"] == "spawner" for one in processes):
        yield Text("Only apps that run as uid %d are shown: root sees everything." % os.getuid(), style="dim")


def _table(processes: Sequence[Process]) -> PageTable:
    numeric = ("PID", "Parent", "Resident", "Shares", "Private", "Swap")
    table = PageTable(*_TITLES, numeric=numeric, foldable=("Of",), expendable=("Parent", "Swap"), last=_LAST)
    names = short_names(process["group"] for process in processes if process["group"])
    for process in processes:
        sizes = [megabytes(process[size]) for size in SIZES]
        name = printable(names[process["group"]] if process["group"] else process["name"])
        table.add_row(str(process["pid"]), str(process["ppid"]), process["kind"], *sizes, name)
    sums = totals(processes)
    count = "%d process%s" % (len(processes), "" if len(processes) == 1 else "es")
    table.add_row("", "", "Sum", *[megabytes(sums[size]) for size in SIZES], count, style="bold")
    return table


@click.command("passenger-memory-stats", cls=PassengerCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--no-apache", is_flag=True, help="Do not show Apache's processes.")
@click.option("--no-nginx", is_flag=True, help="No effect: there are no processes of nginx.")
@click.version_option(VERSION, prog_name="passenger-memory-stats")
@instance_options
def passenger_memory_stats(no_apache: bool, no_nginx: bool, instance: Optional[str], registry: Optional[Path]) -> None:
    """Show how much memory the processes of Apache, of Jumpseat and of each app use, as `jumpseat memory-stats` does.

    Exit status: 0; 1 no instance runs, several run, none has the name, or wrong usage; 2 no access or no answer.

    \b
    Example:
      sudo passenger-memory-stats
    """
    processes = ask(chosen_instance(instance, registry).admin_socket, "memory")["processes"]
    console = page_console()
    for part in render([one for one in processes if not (no_apache and one["kind"] == "httpd")]):
        console.print(part)
