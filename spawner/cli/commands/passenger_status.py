"""`passenger-status`: the state of the pool, also as the XML that monitoring plugins for Passenger read."""

from __future__ import annotations

import grp
import json
import pwd
import time
from pathlib import Path
from typing import Any, Callable, Optional
from xml.etree import ElementTree  # nosec B405  # only written
from xml.etree.ElementTree import Element, SubElement  # nosec B405  # only written

import click

from spawner.cli.admin_client import ask
from spawner.cli.arguments import NON_EMPTY, instance_option, named_instance, registry_option
from spawner.cli.commands.backtraces import show as show_backtraces
from spawner.cli.commands.status import describe, page_of
from spawner.cli.completion import complete_instance
from spawner.cli.console import duration, page_console, printable
from spawner.cli.instances import Instance
from spawner.cli.program import PassengerCommand
from spawner.version import VERSION

_SIZES = (("rss", "rss"), ("pss", "pss"), ("private_dirty", "uss"), ("swap", "swap"), ("real_memory", "uss"))
_STARTING = ("starting", "loading", "booting")

_NO_UNION_STATION = "There is no Union Station here: `jumpseat status --json` and `jumpseat requests` tell what runs."


@click.command("passenger-status", cls=PassengerCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=NON_EMPTY, required=False, shell_complete=complete_instance)
@click.option(
    "--show",
    type=click.Choice(["pool", "server", "requests", "backtraces", "xml", "json", "union_station"]),
    default="pool",
    help="What to show. pool, the default, is the text for people.",
)
@click.option("--no-header", is_flag=True, help="Do not print the lines about the instance.")
@click.option("--force-colors", is_flag=True, help="Print colours even if the output is not a terminal.")
@click.option("-v", "--verbose", is_flag=True, help="Print more about each app.")
@click.version_option(VERSION, prog_name="passenger-status")
@instance_option
@registry_option
def passenger_status(
    name: Optional[str],
    show: str,
    no_header: bool,
    force_colors: bool,
    verbose: bool,
    instance: Optional[str],
    registry: Optional[Path],
) -> None:
    """Show the apps of a running Apache, as `jumpseat status` does.

    NAME is the name of an instance or the pid of its httpd. It is needed when several instances run.

    Exit status: 0; 1 no instance runs, several run, none has the name, or wrong usage; 2 no access or no answer.

    \b
    Examples:
      sudo passenger-status
      sudo passenger-status --show=xml
    """
    chosen = named_instance(name, instance, registry)
    shown: dict[str, Callable[[Instance], None]] = {
        "pool": lambda one: _pool(describe(one), no_header, force_colors, verbose),
        "xml": lambda one: click.echo(status_xml(describe(one))),
        "json": lambda one: click.echo(json.dumps(describe(one), indent=2)),
        "server": _requests,
        "requests": _requests,
        "backtraces": lambda one: show_backtraces(ask(one.admin_socket, "backtraces")["processes"]),
        "union_station": _no_union_station,
    }
    shown[show](chosen)


def _pool(answer: dict[str, Any], no_header: bool, force_colors: bool, verbose: bool) -> None:
    console = page_console(force_colors)
    for part in page_of(answer)[2 if no_header and answer["groups"] else 0 :]:
        console.print(part)
    for group in answer["groups"] if verbose else []:
        click.echo()
        for name in ("name", "startup_file", "environment", "server_name", "base_uri", "spawn_method", "target"):
            click.echo("%-16s%s" % (name, printable(str(group[name]))))


def _requests(instance: Instance) -> None:
    click.echo(json.dumps({"requests": ask(instance.admin_socket, "requests")["requests"]}, indent=2))


def _no_union_station(instance: Instance) -> None:
    raise click.ClickException(_NO_UNION_STATION)


def status_xml(answer: dict[str, Any], now: Optional[float] = None) -> str:
    """The document.

    :param answer: docs/status-json.md.
    :param now: Unix time in seconds.
    """
    moment = time.time() if now is None else now
    pool, groups = answer["pool"], answer["groups"]
    info = Element("info", version="3")
    _add(info, "passenger_version", answer["instance"]["version"])
    _add(info, "group_count", len(groups))
    _add(info, "process_count", sum(len(workers(group)) for group in groups))
    _add(info, "max", pool["max_pool_size"])
    _add(info, "capacity_used", pool["workers"])
    _add(info, "get_wait_list_size", 0)  # no request waits outside of its app's queue
    supergroups = SubElement(info, "supergroups")
    for group in groups:
        _supergroup(supergroups, group, moment)
    ElementTree.indent(info)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(info, encoding="unicode")


def workers(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The processes that Passenger would count: preloaders serve nothing."""
    return [process for process in group["processes"] if process["kind"] != "preloader"]


def _supergroup(parent: Element, group: dict[str, Any], now: float) -> None:
    element = SubElement(parent, "supergroup")
    waiting = group.get("requests_in_queue") or int(group["requests_waiting"])
    _add(element, "name", group["name"])
    _add(element, "state", "READY" if group["state"] in ("serving", "restarting") else "INITIALIZING")
    _add(element, "get_wait_list_size", waiting)
    _add(element, "capacity_used", len(workers(group)))
    inner = SubElement(element, "group", default="true")
    _add(inner, "name", group["name"])
    _add(inner, "component_name", group["name"])
    for name in ("app_root", "app_type", "environment"):
        _add(inner, name, group[name])
    _group_counts(inner, group, waiting)
    _owner(inner, group["user"])
    options = SubElement(inner, "options")
    for name in ("app_root", "app_type", "startup_file", "environment", "base_uri", "spawn_method"):
        _add(options, name, group[name])
    processes = SubElement(inner, "processes")
    for process in workers(group):
        _process(processes, process, now)


def _group_counts(element: Element, group: dict[str, Any], waiting: int) -> None:
    states = [process["state"] for process in workers(group)]
    starting = sum(state in _STARTING for state in states)
    _add(element, "enabled_process_count", sum(state == "serving" for state in states))
    _add(element, "disabling_process_count", 0)
    _add(element, "disabled_process_count", 0)
    _add(element, "capacity_used", len(states))
    _add(element, "get_wait_list_size", waiting)
    _add(element, "disable_wait_list_size", 0)
    _add(element, "processes_being_spawned", starting)
    if starting:
        SubElement(element, "spawning")
    if group["state"] == "restarting":
        SubElement(element, "restarting")
    _add(element, "life_status", "SHUTTING_DOWN" if group["state"] == "closing" else "ALIVE")


def _owner(element: Element, user: Optional[str]) -> None:
    if not user:
        return
    _add(element, "user", user)
    try:
        entry = pwd.getpwnam(user)
        _add(element, "uid", entry.pw_uid)
        _add(element, "group", grp.getgrgid(entry.pw_gid).gr_name)
        _add(element, "gid", entry.pw_gid)
    except KeyError:
        return


def _process(parent: Element, process: dict[str, Any], now: float) -> None:
    element = SubElement(parent, "process")
    capacity = process.get("capacity") or 1
    running = process.get("running", int(process["busy"]))
    started = now - process["uptime"]
    _add(element, "pid", process["pid"])
    _add(element, "gupid", "%d-%d" % (process["pid"], process["process_id"]))
    _add(element, "concurrency", capacity)
    _add(element, "sessions", running)
    _add(element, "busyness", running * 2147483647 // capacity)  # as a share of the largest 32-bit number
    _add(element, "processed", process["requests"])
    for name in ("spawner_creation_time", "spawn_start_time", "spawn_end_time"):
        _add(element, name, int(started * 1e6))  # microseconds of Unix time
    _add(element, "last_used", int((now - process["idle"]) * 1e6))
    _add(element, "last_used_desc", "%s ago" % duration(process["idle"]))
    _add(element, "uptime", duration(process["uptime"]))
    _add(element, "life_status", "SHUTDOWN_TRIGGERED" if process["state"] == "retiring" else "ALIVE")
    _add(element, "enabled", "DETACHED" if process["state"] == "retiring" else "ENABLED")
    _metrics(element, process)


def _metrics(element: Element, process: dict[str, Any]) -> None:
    memory = process["memory"]
    if memory is None:
        return
    _add(element, "has_metrics", "true")
    _add(element, "cpu", round(process["cpu_percent"] or 0))
    for name, key in _SIZES:
        _add(element, name, (memory.get(key) or 0) // 1024)  # KB
    _add(element, "command", process["kind"])


def _add(parent: Element, name: str, value: Any) -> None:
    SubElement(parent, name).text = printable(str(value)).replace("\n", " ")
