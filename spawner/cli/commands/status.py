"""`jumpseat status`: what runs in an instance, as a page for people or as JSON, once or again and again."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any, Callable, Iterable, Optional

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from spawner.cli.admin_client import ask
from spawner.cli.arguments import NON_EMPTY, instance_option, json_option, named_instance, registry_option
from spawner.cli.completion import complete_instance
from spawner.cli.console import (
    PageTable,
    counted,
    duration,
    error_mark,
    failure_details,
    megabytes,
    page_console,
    printable,
    short_names,
)
from spawner.cli.instances import Instance
from spawner.cli.program import NoAnswer

SCHEMA = 1


@click.command(short_help="Show apps, processes, restarts and failures")
@click.argument("name", type=NON_EMPTY, required=False, shell_complete=complete_instance)
@json_option
@click.option(
    "--watch",
    "interval",
    type=click.FloatRange(min=0.1),
    is_flag=False,
    flag_value=2.0,
    metavar="[SECONDS]",
    help="Repeat every SECONDS seconds (2 if none are given), until Ctrl-C.",
)
@instance_option
@registry_option
def status(
    name: Optional[str], as_json: bool, interval: Optional[float], instance: Optional[str], registry: Optional[Path]
) -> None:
    """Show the apps of a running Apache, their processes and their last failures.

    NAME is the name of an instance (httpd-1203) or the pid of its httpd. It is needed when several instances run.
    Root sees all apps. Other users see the apps that run as them.

    Exit status: 0 an instance answered; 1 no instance runs, several run, or none has the name; 2 wrong usage, no
    access or no answer.

    \b
    Examples:
      sudo jumpseat status
      sudo jumpseat status --watch 1
      sudo jumpseat status --json | jq '.groups[] | {name, state}'
    """
    chosen = named_instance(name, instance, registry)
    if interval is not None:
        watch(interval, lambda: describe(chosen), as_json)
        return
    answer = describe(chosen)
    if as_json:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=True))
        return
    console = page_console()
    for part in page_of(answer):
        console.print(part)


def describe(instance: Instance) -> dict[str, Any]:
    """The instance's answer.

    :raises NoAnswer: it does not answer, or is of another version.
    """
    answer = ask(instance.admin_socket, "status")
    if answer.get("schema") != SCHEMA:
        raise NoAnswer(
            "The running spawner answers in schema %s, this command reads %d: restart Apache after the upgrade"
            % (answer.get("schema"), SCHEMA)
        )
    return answer


def page_of(answer: dict[str, Any]) -> list[Any]:
    """The page for people, part by part.

    :raises NoAnswer: the answer lacks what the schema promises.
    """
    try:
        return list(render(answer))
    except KeyError as missing:
        raise NoAnswer("The spawner's answer lacks %s" % missing) from None


_STATE_STYLES = {"serving": "green", "failed": "bold red", "restarting": "yellow", "starting": "yellow"}


def render(answer: dict[str, Any], now: Optional[float] = None) -> Iterable[RenderableType]:
    """The page, part by part.

    :param answer: of the admin socket, schema 1.
    :param now: Unix time in seconds.
    :raises KeyError: the answer lacks what the schema promises.
    """
    moment = time.time() if now is None else now
    yield _head(answer, moment)
    names = short_names(group["name"] for group in answer["groups"])
    for group in answer["groups"]:
        yield Text()
        yield _group_head(group, names[group["name"]])
        if group.get("pinned_release"):
            yield Padding(_pinned_release(group["pinned_release"]), (0, 0, 0, 2), expand=False)
        elif group["failure"]:
            yield Padding(_failure(group["failure"]), (0, 0, 0, 2), expand=False)
        for warning in group.get("warnings", ()):
            yield Padding(Text("After loading: %s" % printable(warning), style="yellow"), (0, 0, 0, 2), expand=False)
        if group.get("known_warnings"):
            known = "After loading: %s known" % counted(len(group["known_warnings"]), "warning")
            yield Padding(Text(known, style="dim"), (0, 0, 0, 2), expand=False)
        if group.get("limits"):
            yield Padding(_limits(group["limits"]), (0, 0, 0, 2), expand=False)
        if group["processes"]:
            yield Padding(_processes(group["processes"]), (0, 0, 0, 2), expand=False)


def _limits(limits: dict[str, Any]) -> Text:
    """The limits of the app, and which of them the machine does not enforce."""
    shown = {name: "on" if limit["value"] is True else str(limit["value"]) for name, limit in limits.items()}
    page = Text("Limits: " + ", ".join("%s %s" % pair for pair in shown.items()), style="dim")
    for name, limit in limits.items():
        if limit["without_effect"]:
            page.append("\n%s has no effect: %s" % (name, printable(limit["without_effect"])), style="yellow")
    return page


def _head(answer: dict[str, Any], now: float) -> Text:
    instance, pool = answer["instance"], answer["pool"]
    page = Text()
    page.append("Jumpseat %s" % instance["version"], style="bold")
    page.append(
        " in %s: %s, %s\n"
        % (instance["name"], printable(instance["server_software"]), printable(instance["server_root"]))
    )
    page.append("Spawner %d up for %s; " % (instance["spawner_pid"], duration(now - instance["started"])))
    page.append("%s; " % counted(pool["groups"], "app"))
    page.append("%s of at most %d" % (counted(pool["workers"], "worker"), pool["max_pool_size"]))
    hidden = pool["groups"] - len(answer["groups"])
    if hidden > 0:
        page.append("\n%s of other users not shown: root sees all" % counted(hidden, "app"), style="dim")
    if not pool["groups"]:
        page.append("\nNo app has had a request yet: an app starts with its first request.")
    return page


def _group_head(group: dict[str, Any], name: str) -> Text:
    page = Text()
    page.append(printable(name), style="bold")
    page.append("\n  ")
    page.append(group["state"], style=_STATE_STYLES.get(group["state"], ""))
    page.append(", generation %d" % group["generation"])
    page.append_text(_restart(group))
    page.append(", %s" % printable(group["app_type"]))
    page.append(", as %s" % printable(group["user"]) if group["user"] else "")
    page.append(", each request starts it again (always_restart.txt)" if group.get("always_restart") else "")
    page.append("" if group.get("configured", True) else ", no longer configured: ends when idle", style="yellow")
    page.append("\n  %s" % printable(group["app_root"]))
    page.append("\n  ")
    page.append_text(_load(group))
    return page


def _restart(group: dict[str, Any]) -> Text:
    restart = group.get("restart")
    if restart is not None:
        return Text(_progress(group, restart), style="yellow")
    if group["next_generation"] is not None and group["state"] == "restarting":
        return Text(" to be replaced by %d" % group["next_generation"], style="yellow")
    return Text()


def _progress(group: dict[str, Any], restart: dict[str, Any]) -> str:
    values = (restart["stage"], restart["done"], restart["total"], duration(restart["age"]))
    if restart["generation"] > group["generation"]:
        return " to be replaced by %d (%s, %d of %d workers, for %s)" % (restart["generation"], *values)
    older = [process for process in group["processes"] if process["generation"] < restart["generation"]]
    return " (%s, %d of %d workers, for %s; older processes that are finishing: %d)" % (*values, len(older))


def _load(group: dict[str, Any]) -> Text:
    """What the workers are doing, what waits, and their memory together."""
    workers = [process for process in group["processes"] if process["kind"] != "preloader"]
    running = sum(process.get("running", int(process["busy"])) for process in workers)
    page = Text("%d of %d requests at a time" % (running, sum(process.get("capacity", 1) for process in workers)))
    if group["requests_waiting"]:
        page.append(", %s wait in the queue" % (group.get("requests_in_queue") or "requests"), style="yellow")
    full = group.get("pool_full")
    if full:
        page.append(", wants %d, has %d: the pool is full" % (full["wants"], full["has"]), style="yellow")
    elif group.get("waits_for_place"):
        page.append(", waits for a place in the pool", style="yellow")
    rejected = group.get("requests_rejected", 0)
    page.append(", %d answered 503 (queue full)" % rejected if rejected else "", style="yellow")
    shares = [process["memory"]["pss"] for process in group["processes"] if process["memory"]]
    if shares and None not in shares:
        page.append(", %s in memory" % megabytes(sum(shares)))
    return page


def _pinned_release(failure: dict[str, Any]) -> Text:
    page = Text()
    values = (failure["generation"], printable(failure["step"]), duration(failure["age"]))
    page.append("Deployment error: generation %d failed at step %s %s ago" % values, style="bold red")
    page.append("; the previous release continues to serve")
    page.append(error_mark(failure))
    page.append_text(failure_details(failure))
    return page


def _failure(failure: dict[str, Any]) -> Text:
    page = Text()
    page.append("The last start failed at step %s" % printable(failure["step"]), style="bold red")
    page.append(" %s ago" % duration(failure["age"]))
    if failure["retry_in"] > 0:
        page.append(", next try in %s" % duration(failure["retry_in"]))
    page.append(error_mark(failure))
    page.append_text(failure_details(failure))
    return page


def _processes(processes: Iterable[dict[str, Any]]) -> PageTable:
    table = PageTable(
        "PID", "Kind", "Generation", "State", "Requests", "Uptime", "Last used", "CPU", "Memory", "Private",
        numeric=("PID", "Generation", "Requests", "CPU", "Memory", "Private"),
        foldable=("State",),
        expendable=("Private", "CPU", "Uptime", "Generation", "Last used"),
        last=("Requests", "Memory"),
    )  # fmt: skip
    for process in processes:
        table.add_row(*_cells(process))
    return table


def _cells(process: dict[str, Any]) -> list[str]:
    memory = process["memory"] or {"rss": None, "uss": None}
    cpu = process["cpu_percent"]
    return [
        str(process["pid"] or "-"),
        process["kind"],
        str(process["generation"]),
        _state(process),
        "-" if process["kind"] == "preloader" else str(process["requests"]),
        duration(process["uptime"]),
        _last_used(process),
        "-" if cpu is None else "%.1f %%" % cpu,
        megabytes(memory["rss"]),
        megabytes(memory["uss"]),
    ]


_REASONS = {
    "max_requests_reached": "request limit reached",
    "too_large": "too large",
    "overdue": "request too slow",
    "work_wanted": "wants out-of-band work",
    "single_request": "for one request",
}


def _state(process: dict[str, Any]) -> str:
    """The state, what the process is doing, and why it will be replaced: `serving, busy 2/8, too large`."""
    words = [str(process["state"])]
    running, capacity = process.get("running", 0), process.get("capacity", 1)
    if process.get("working"):
        words.append("out-of-band work")
    elif process["busy"]:
        words.append("busy %d/%d" % (running, capacity) if capacity > 1 else "busy")
    return ", ".join(words + [text for name, text in _REASONS.items() if process.get(name)])


def _last_used(process: dict[str, Any]) -> str:
    if process["busy"]:
        return "now"
    if process["state"] in ("starting", "loading", "booting") or process["idle"] is None:
        return "-"
    return "%s ago" % duration(process["idle"])


def watch(interval: float, describe: Callable[[], dict[str, Any]], as_json: bool) -> None:
    """Show the status again and again until Ctrl-C: a live page on a terminal, pages one below the other elsewhere.

    If the spawner does not answer, the page says so, and it is asked again: it may just be starting.

    :param interval: seconds.
    :param as_json: a line of JSON each time instead.
    """
    console = page_console()
    with contextlib.suppress(KeyboardInterrupt):
        if as_json:
            while True:
                click.echo(json.dumps(describe()))
                time.sleep(interval)
        elif console.is_terminal:
            _live(console, interval, describe)
        else:
            _pages(console, interval, describe)


def _live(console: Console, interval: float, describe: Callable[[], dict[str, Any]]) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_page(describe), refresh=True)
            time.sleep(interval)


def _pages(console: Console, interval: float, describe: Callable[[], dict[str, Any]]) -> None:
    while True:
        console.print(_page(describe))
        console.print()
        time.sleep(interval)


def _page(describe: Callable[[], dict[str, Any]]) -> RenderableType:
    clock = Text(time.strftime("%Y-%m-%d %H:%M:%S"), style="dim")
    try:
        return Group(clock, *render(describe()))
    except (NoAnswer, KeyError) as error:
        reason = error.format_message() if isinstance(error, NoAnswer) else "The spawner's answer lacks %s" % error
        return Group(clock, Text(reason, style="bold red"))
