"""The smaller commands: what they print of what the spawner says, and how they end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from click.testing import CliRunner, Result
from instance_registry import Registry

import spawner
from spawner.cli.instances import find_instances
from spawner.cli.main import jumpseat
from spawner.version import VERSION

AsLine = Callable[[dict[str, Any]], bytes]
MEBIBYTE = 1 << 20


def run(registry: Registry, *arguments: str) -> Result:
    return CliRunner().invoke(jumpseat, [*arguments, "--registry", str(registry.folder)])


def process(pid: int, kind: str, group: Any, size: Any) -> dict[str, Any]:
    told = {"pid": pid, "ppid": 1, "kind": kind, "group": group, "name": "apache2", "virtual": 0}
    return {**told, "rss": size, "pss": size, "uss": size, "swap": 0}


def test_memory_is_told_in_tables_with_sums(registry: Registry, as_line: AsLine) -> None:
    processes = [
        process(1, "httpd", None, 2 * MEBIBYTE),
        process(2, "spawner", None, 3 * MEBIBYTE),
        process(3, "worker", "/srv/a (production)", 4 * MEBIBYTE),
        process(4, "worker", "/srv/a (production)", 5 * MEBIBYTE),
    ]
    registry.add("httpd-1", b"", memory=as_line({"ok": True, "processes": processes}))
    lines = run(registry, "memory-stats").output.splitlines()
    assert [line for line in lines if line in ("Apache", "Jumpseat", "Apps")] == ["Apache", "Jumpseat", "Apps"]
    assert "4 1 worker 5.0 M 5.0 M 5.0 M 0.0 M /srv/a (production)".split() in [line.split() for line in lines]
    assert "Sum 9.0 M 9.0 M 9.0 M 0.0 M 2 processes".split() in [line.split() for line in lines]
    assert "All together: 14.0 M resident, 14.0 M shares, 14.0 M private, 0.0 M swap" in lines


def test_memory_as_json_has_sums_too(registry: Registry, as_line: AsLine) -> None:
    processes = [process(3, "worker", "a", 4), {**process(4, "worker", "a", 5), "pss": None}]
    registry.add("httpd-1", b"", memory=as_line({"ok": True, "processes": processes}))
    told = json.loads(run(registry, "memory-stats", "--json").output)
    assert told == {"processes": processes, "total": {"rss": 9, "pss": 4, "uss": 9, "swap": 0}, "hints": []}


@pytest.mark.parametrize(
    ("preloader", "workers", "is_hinted"),
    [
        (30, [80, 60], True),
        (30, [80, 10], False),  # one worker shows that the app itself is shared
        (90, [80, 60], False),
        (8, [15, 15], False),
        (30, [], False),
        (30, [80, None], False),
    ],
)
def test_an_app_that_is_imported_only_in_its_workers_gets_a_hint(
    registry: Registry, as_line: AsLine, preloader: int, workers: list[Any], is_hinted: bool
) -> None:
    sizes = [None if size is None else size * MEBIBYTE for size in workers]
    processes = [process(2, "preloader", "/srv/a (production)", preloader * MEBIBYTE)]
    processes += [process(3 + number, "worker", "/srv/a (production)", size) for number, size in enumerate(sizes)]
    registry.add("httpd-1", b"", memory=as_line({"ok": True, "processes": processes}))
    text = "/srv/a (production): each worker has at least 60.0 M of its own, and the preloader 30.0 M in all."
    assert (text in run(registry, "memory-stats").output) == is_hinted
    assert len(json.loads(run(registry, "memory-stats", "--json").output)["hints"]) == is_hinted


REQUEST = {
    "group": "/srv/a (production)",
    "pid": 7,
    "thread": 2,
    "method": "GET",
    "host": "a.example",
    "path": "/slow\x1b[2J",
    "age": 61.2,
    "deadline_in": None,
}


def test_each_request_in_flight_has_a_line(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", requests=as_line({"ok": True, "requests": [REQUEST]}))
    output = run(registry, "requests").output
    assert "1 min 1 s - 7 2 GET a.example /slow\ufffd[2J /srv/a (production)".split() == output.splitlines()[1].split()
    assert "\x1b" not in output


def test_no_request_is_said_in_words(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", requests=as_line({"ok": True, "requests": []}))
    assert run(registry, "requests").output == "No request is being served.\n"


def test_an_app_is_named_by_its_path(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    registry.add("httpd-1", as_line(answer), requests=as_line({"ok": True, "requests": []}))
    run(registry, "requests", "/var/www/shop/public")
    assert registry.asked[-1] == {"command": "requests", "name": ["/var/www/shop (production)"]}


def test_backtraces_are_shown_as_they_came(registry: Registry, as_line: AsLine) -> None:
    told = {"group": "a", "pid": 7, "kind": "worker", "text": 'Thread 0x1:\n  File "x.py", line 3 in f'}
    registry.add("httpd-1", b"", backtraces=as_line({"ok": True, "processes": [told]}))
    output = run(registry, "backtraces", "7").output
    assert output == 'worker 7 of a\n    Thread 0x1:\n      File "x.py", line 3 in f\n\n'
    assert registry.asked == [{"command": "backtraces", "pid": 7}]


def test_without_a_process_there_are_no_backtraces(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", backtraces=as_line({"ok": True, "processes": []}))
    assert run(registry, "backtraces").output == "No process runs.\n"


NOT_FOUND: dict[str, Any] = {"ok": False, "kind": "not_found", "error": "no app has a process 7"}


def test_a_process_is_detached(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", detach_process=as_line({"ok": True, "group": "a", "kind": "worker"}))
    result = run(registry, "detach-process", "7")
    assert (result.exit_code, result.output) == (0, "Process 7 of a finishes its requests and ends.\n")


def test_a_preloader_that_is_detached_has_no_requests_to_finish(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", detach_process=as_line({"ok": True, "group": "a", "kind": "preloader"}))
    assert run(registry, "detach-process", "7").output == "Preloader 7 of a ends; its workers continue to serve.\n"
    told = json.loads(run(registry, "detach-process", "7", "--json").output)
    assert told == {"pid": 7, "detached": True, "group": "a", "kind": "preloader"}


def test_a_spawner_of_an_older_release_does_not_say_what_was_detached(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", detach_process=as_line({"ok": True, "group": "a"}))
    assert run(registry, "detach-process", "7").output.startswith("Process 7 of a finishes")


def test_a_process_that_is_not_there_is_an_error_unless_it_is_ignored(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", detach_process=as_line(NOT_FOUND))
    assert run(registry, "detach-process", "7").exit_code == 1
    ignored = run(registry, "detach-process", "7", "--ignore-nonexistant-pid", "--json")
    assert (ignored.exit_code, json.loads(ignored.stdout)["detached"]) == (0, False)


def test_what_is_denied_ends_with_2(registry: Registry, as_line: AsLine) -> None:
    denied = {"ok": False, "kind": "denied", "error": "only root may have the logs opened anew"}
    registry.add("httpd-1", b"", reopen_logs=as_line(denied))
    result = run(registry, "reopen-logs")
    assert result.exit_code == 2
    assert result.stderr == "Error: Only root may have the logs opened anew\n"


def test_reopened_logs_are_named(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", reopen_logs=as_line({"ok": True, "logs": ["/var/log/a.log"]}))
    assert run(registry, "reopen-logs").output == "Reopened /var/log/a.log\nAll done.\n"


def test_where_there_is_no_log_to_open_anew_that_is_said(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", reopen_logs=as_line({"ok": True, "logs": []}))
    assert run(registry, "reopen-logs").output.startswith("There was nothing to reopen: ")


def test_the_memory_of_nothing_has_no_sum(registry: Registry, as_line: AsLine) -> None:
    registry.add("httpd-1", b"", memory=as_line({"ok": True, "processes": []}))
    output = run(registry, "memory-stats").output
    assert output.startswith("No process runs.\nOnly apps that run as uid ")


def test_instances_are_listed(registry: Registry) -> None:
    registry.add("httpd-1")
    registry.add("httpd-2")
    lines = [line.split() for line in run(registry, "list-instances").output.splitlines()]
    assert lines == [
        ["Name", "PID", "Description"],
        *[[name, str(os.getpid()), "Apache", "httpd,", "/etc/apache2"] for name in ("httpd-1", "httpd-2")],
    ]
    told = json.loads(run(registry, "list-instances", "--json").output)
    assert [one["name"] for one in told] == ["httpd-1", "httpd-2"]


def test_no_instance_is_no_error_of_the_list(registry: Registry) -> None:
    result = run(registry, "list-instances")
    assert (result.exit_code, "No instance runs" in result.output) == (0, True)
    assert run(registry, "list-instances", "--quiet").output == ""
    assert json.loads(run(registry, "list-instances", "--json").output) == []


def test_about_prints_one_fact_or_all() -> None:
    assert CliRunner().invoke(jumpseat, ["about", "version"]).output == VERSION + "\n"
    assert json.loads(CliRunner().invoke(jumpseat, ["about", "--json"]).output)["version"] == VERSION


def test_about_names_the_folder_of_the_packages() -> None:
    root = CliRunner().invoke(jumpseat, ["about", "root"]).output.strip()
    assert root == str(Path(spawner.__file__).resolve().parents[1])


@pytest.mark.parametrize("name", sorted(jumpseat.commands))
def test_every_command_has_help_with_an_example_and_its_exit_statuses(name: str) -> None:
    text = CliRunner().invoke(jumpseat, [name, "--help"]).output
    assert "Example" in text
    assert "Exit status" in text


@pytest.mark.parametrize("name", sorted(jumpseat.commands))
def test_every_command_can_speak_json(name: str) -> None:
    options = [option for parameter in jumpseat.commands[name].params for option in parameter.opts]
    assert "--json" in options


def test_a_page_can_be_told_again_and_again(
    registry: Registry, answer: dict[str, Any], as_line: AsLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add("httpd-1", as_line(answer))
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("spawner.cli.commands.status.time.sleep", nap)
    result = run(registry, "status", "--watch", "3")
    assert (result.exit_code, naps, result.output.count("/var/www/shop (production)")) == (0, [3.0, 3.0], 2)


def test_an_instance_that_another_user_can_have_made_is_not_believed(registry: Registry) -> None:
    registry.add("httpd-1")
    assert [one.name for one in find_instances([registry.folder])] == ["httpd-1"]
    writable = registry.add("httpd-2")
    writable.chmod(0o777)
    (registry.folder / "httpd-3").symlink_to("httpd-1")
    if os.geteuid() == 0:
        os.chown(registry.add("httpd-4"), 65534, 65534)
    assert [one.name for one in find_instances([registry.folder])] == ["httpd-1"]
