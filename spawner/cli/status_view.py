"""The status answer (docs/status-json.md) as a page for people."""

from __future__ import annotations

import time
from typing import Any, Iterable, Optional

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from spawner.cli.console import plain_table
from spawner.cli.failure_view import error_mark, failure_details
from spawner.cli.units import duration, megabytes, printable

_STATE_STYLES = {"serving": "green", "failed": "bold red", "restarting": "yellow", "starting": "yellow"}


def render(answer: dict[str, Any], now: Optional[float] = None) -> Iterable[RenderableType]:
    """The page, part by part.

    :param answer: what the admin socket said, of schema 1.
    :param now: Unix time in seconds.
    :raises KeyError: the answer lacks what the schema promises.
    """
    moment = time.time() if now is None else now
    yield _head(answer, moment)
    for group in answer["groups"]:
        yield Text()
        yield _group_head(group)
        if group["failure"]:
            yield Padding(_failure(group["failure"]), (0, 0, 0, 2), expand=False)
        if group["processes"]:
            yield Padding(_processes(group["processes"]), (0, 0, 0, 2), expand=False)


def _head(answer: dict[str, Any], now: float) -> Text:
    instance, pool = answer["instance"], answer["pool"]
    page = Text()
    page.append("Jumpseat %s" % instance["version"], style="bold")
    page.append(
        " in %s: %s, %s\n"
        % (instance["name"], printable(instance["server_software"]), printable(instance["server_root"]))
    )
    page.append("Spawner %d up for %s; " % (instance["spawner_pid"], duration(now - instance["started"])))
    page.append("%s; " % _count(pool["groups"], "app"))
    page.append("%s of at most %d" % (_count(pool["workers"], "worker"), pool["max_pool_size"]))
    hidden = pool["groups"] - len(answer["groups"])
    if hidden > 0:
        page.append("\n%s of other users not shown: root sees all" % _count(hidden, "app"), style="dim")
    if not pool["groups"]:
        page.append("\nNo app has been asked for yet: an app starts with its first request.")
    return page


def _count(number: int, noun: str) -> str:
    return "%d %s" % (number, noun if number == 1 else noun + "s")


def _group_head(group: dict[str, Any]) -> Text:
    page = Text()
    page.append(printable(group["name"]), style="bold")
    page.append("\n  ")
    page.append(group["state"], style=_STATE_STYLES.get(group["state"], ""))
    page.append(", generation %d" % group["generation"])
    if group["next_generation"] is not None and group["state"] == "restarting":
        page.append(" to be replaced by %d" % group["next_generation"], style="yellow")
    page.append(", %s" % printable(group["app_type"]))
    page.append(", as %s" % printable(group["user"]) if group["user"] else "")
    page.append(", requests wait in the queue" if group["requests_waiting"] else "")
    page.append("\n  %s" % printable(group["app_root"]))
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


def _processes(processes: Iterable[dict[str, Any]]) -> Table:
    table = plain_table(
        "PID", "Kind", "Generation", "State", "Requests", "Uptime", "Last used", "CPU", "Memory", "Private",
        numeric=("PID", "Generation", "Requests", "CPU", "Memory", "Private"),
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
        "%s, busy" % process["state"] if process["busy"] else str(process["state"]),
        "-" if process["kind"] == "preloader" else str(process["requests"]),
        duration(process["uptime"]),
        _last_used(process),
        "-" if cpu is None else "%.1f %%" % cpu,
        megabytes(memory["rss"]),
        megabytes(memory["uss"]),
    ]


def _last_used(process: dict[str, Any]) -> str:
    if process["busy"]:
        return "now"
    if process["state"] in ("starting", "loading", "booting") or process["idle"] is None:
        return "-"
    return "%s ago" % duration(process["idle"])
