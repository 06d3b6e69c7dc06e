"""The commands that have Passenger's names: its flags, its exit statuses, the elements of its XML."""

from __future__ import annotations

import json
from typing import Any, Callable
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from instance_registry import Registry

from spawner.cli.commands.passenger_status import status_xml
from spawner.cli.main import PROGRAMS

AsLine = Callable[[dict[str, Any]], bytes]


def run(program: str, *arguments: str, registry: Any = None) -> Result:
    where = ["--registry", str(registry.folder)] if registry is not None else []
    return CliRunner().invoke(PROGRAMS[program], [*arguments, *where])


def test_status_shows_the_page_with_or_without_its_head(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    registry.add("httpd-1", as_line(answer))
    page = run("passenger-status", registry=registry).output
    assert page.startswith("Jumpseat 0.1.0 in httpd-1")
    assert "/var/www/shop (production)" in page
    headless = run("passenger-status", "--no-header", registry=registry).output
    assert headless.startswith("/var/www/shop (production)")


def test_colours_can_be_forced(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    registry.add("httpd-1", as_line(answer))
    assert "\x1b[" not in run("passenger-status", registry=registry).output
    assert "\x1b[" in run("passenger-status", "--force-colors", registry=registry).output


def test_verbose_tells_more_of_each_app(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    registry.add("httpd-1", as_line(answer))
    assert "spawn_method    smart" in run("passenger-status", "-v", registry=registry).output


def test_json_is_the_status_answer(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    registry.add("httpd-1", as_line(answer))
    assert json.loads(run("passenger-status", "--show=json", registry=registry).output) == answer


@pytest.mark.parametrize("show", ["server", "requests"])
def test_requests_are_json(registry: Registry, as_line: AsLine, show: str) -> None:
    registry.add("httpd-1", b"", requests=as_line({"ok": True, "requests": [{"pid": 7}]}))
    told = json.loads(run("passenger-status", "--show", show, registry=registry).output)
    assert told == {"requests": [{"pid": 7}]}


def test_xml_has_the_elements_that_plugins_read(answer: dict[str, Any]) -> None:
    info = ElementTree.fromstring(status_xml(answer, 1790000000.0))
    texts = {name: info.findtext(name) for name in ("process_count", "max", "capacity_used", "get_wait_list_size")}
    assert texts == {"process_count": "1", "max": "6", "capacity_used": "1", "get_wait_list_size": "0"}
    supergroup = info.find("supergroups/supergroup")
    assert supergroup is not None
    assert supergroup.findtext("name") == "/var/www/shop (production)"
    assert supergroup.findtext("group/app_root") == "/var/www/shop"
    (process,) = supergroup.findall("group/processes/process")
    found = {name: process.findtext(name) for name in ("pid", "processed", "sessions", "concurrency", "life_status")}
    assert found == {"pid": "778", "processed": "812", "sessions": "1", "concurrency": "1", "life_status": "ALIVE"}


def test_xml_counts_memory_in_kilobytes_and_time_in_microseconds(answer: dict[str, Any]) -> None:
    worker = answer["groups"][0]["processes"][1]
    worker.update(memory={"rss": 2048, "pss": None, "uss": 1024, "swap": 0}, cpu_percent=3.6)
    process = ElementTree.fromstring(status_xml(answer, 1000.0)).find(".//process")
    assert process is not None
    names = ("rss", "pss", "private_dirty", "cpu", "last_used", "spawn_end_time", "uptime")
    assert [process.findtext(name) for name in names] == ["2", "0", "1", "4", "1000000000", "938000000", "1 min 2 s"]


def test_xml_has_the_length_of_the_queue(answer: dict[str, Any]) -> None:
    answer["groups"][0].update(requests_waiting=True)
    assert ElementTree.fromstring(status_xml(answer)).findtext("supergroups/supergroup/get_wait_list_size") == "1"
    answer["groups"][0].update(requests_in_queue=7)
    assert ElementTree.fromstring(status_xml(answer)).findtext("supergroups/supergroup/get_wait_list_size") == "7"


def test_xml_is_xml_whatever_an_app_is_called(answer: dict[str, Any]) -> None:
    answer["groups"][0]["name"] = "<evil>&\x1b\x00"
    told = ElementTree.fromstring(status_xml(answer)).findtext("supergroups/supergroup/name")
    assert told == "<evil>&\ufffd\ufffd"


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("passenger-status", ["--show=nonsense"]),
        ("passenger-status", ["--show=union_station"]),
        ("passenger-config", ["nonsense"]),
        ("passenger-config", ["detach-process"]),
        ("passenger-config", ["restart-app"]),
        ("passenger-config", ["about", "ruby-command"]),
        ("passenger", ["nonsense"]),
    ],
)
def test_wrong_usage_ends_with_1(registry: Registry, as_line: AsLine, program: str, arguments: list[str]) -> None:
    registry.add("httpd-1", b"")
    assert run(program, *arguments, registry=registry).exit_code == 1


@pytest.mark.parametrize("program", ["passenger-status", "passenger-memory-stats"])
def test_no_instance_ends_with_1_and_no_answer_with_2(registry: Registry, program: str) -> None:
    assert run(program, registry=registry).exit_code == 1
    registry.add("httpd-1", b"")
    assert run(program, registry=registry).exit_code == 2


def test_memory_can_be_told_without_apache(registry: Registry, as_line: AsLine) -> None:
    sizes = {"rss": 1, "pss": 1, "uss": 1, "swap": 0, "virtual": 1}
    processes = [{"pid": 1, "ppid": 1, "kind": "httpd", "group": None, "name": "apache2", **sizes}]
    registry.add("httpd-1", b"", memory=as_line({"ok": True, "processes": processes}))
    assert "apache2" in run("passenger-memory-stats", registry=registry).output
    assert "apache2" not in run("passenger-memory-stats", "--no-apache", registry=registry).output


def test_restart_takes_a_prefix_and_flags_of_passenger(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    told = {"group": "/var/www/shop (production)", "generation": 2, "outcome": "started", "seconds": 0, "failure": None}
    registry.add("httpd-1", as_line(answer), restart_app=as_line({"ok": True, "groups": [told]}))
    result = run("passenger-config", "restart-app", "/var/www/sh", "--rolling-restart", registry=registry)
    assert (result.exit_code, result.output) == (0, "Restarting /var/www/shop (production)\n")
    assert registry.asked[-1]["method"] == "rolling"


@pytest.mark.parametrize(
    ("program", "arguments", "equivalent"),
    [
        ("passenger-config", ["api-call", "GET", "/pool.json", "-d", "x"], "jumpseat status --json"),
        ("passenger-config", ["system-metrics"], "jumpseat memory-stats"),
        ("passenger", ["start", "/srv/a", "-p", "3000"], "Standalone is not part of Jumpseat"),
        ("passenger", ["stop"], "Standalone is not part of Jumpseat"),
    ],
)
def test_what_is_not_there_says_what_to_use(program: str, arguments: list[str], equivalent: str) -> None:
    result = run(program, *arguments)
    assert result.exit_code == 1
    assert equivalent in result.stderr


def test_a_log_that_cannot_be_opened_can_be_ignored(registry: Registry, as_line: AsLine) -> None:
    failed = {"ok": False, "kind": "failed", "error": "PassengerLogFile /x cannot be opened"}
    registry.add("httpd-1", b"", reopen_logs=as_line(failed))
    assert run("passenger-config", "reopen-logs", registry=registry).exit_code == 1
    assert run("passenger-config", "reopen-logs", "--ignore-logs-not-available", registry=registry).exit_code == 0


def test_about_takes_names_with_dashes_too() -> None:
    assert run("passenger-config", "about", "--root").output == run("passenger-config", "about", "root").output


@pytest.mark.parametrize("program", ["passenger", "passenger-config"])
def test_without_a_command_there_is_the_help_and_status_1(program: str) -> None:
    result = run(program)
    assert result.exit_code == 1
    assert result.output.count("Usage: ") == 1
    assert "Error" not in result.output


@pytest.mark.parametrize("program", ["jumpseat", "passenger", "passenger-config"])
def test_the_list_of_commands_has_whole_sentences(program: str) -> None:
    assert "..." not in run(program, "--help").output.partition("Commands:")[2]
