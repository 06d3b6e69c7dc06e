"""The status answer as XML, with the element names that monitoring plugins for Passenger read."""

from __future__ import annotations

import grp
import pwd
import time
from typing import Any, Optional
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from spawner.cli.units import duration, printable

_SIZES = (("rss", "rss"), ("pss", "pss"), ("private_dirty", "uss"), ("swap", "swap"), ("real_memory", "uss"))
_COMING = ("starting", "loading", "booting")


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
    coming = sum(state in _COMING for state in states)
    _add(element, "enabled_process_count", sum(state == "serving" for state in states))
    _add(element, "disabling_process_count", 0)
    _add(element, "disabled_process_count", 0)
    _add(element, "capacity_used", len(states))
    _add(element, "get_wait_list_size", waiting)
    _add(element, "disable_wait_list_size", 0)
    _add(element, "processes_being_spawned", coming)
    if coming:
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
