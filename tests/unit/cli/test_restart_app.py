"""`jumpseat restart-app`: which app is meant, what is shown, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import pytest
from click.testing import CliRunner, Result
from instance_registry import Registry

from spawner.cli import admin_client
from spawner.cli.admin_client import follow
from spawner.cli.arguments import app_from_menu, apps_around, apps_at_path, apps_with_root_prefix
from spawner.cli.main import jumpseat
from spawner.cli.program import NoAnswer, NoSuchApp, NotInTime

AsLine = Callable[[dict[str, Any]], bytes]
KEY = "/var/www/shop (production)"
FAILURE = {
    "step": "import",
    "summary": "ImportError: no shop",
    "detail": "Traceback (most recent call last):\nImportError: no shop",
    "facts": {"interpreter": "python3"},
    "error_id": "1f2e3d4c",
}


def outcome(word: str, failure: Any = None) -> dict[str, Any]:
    return {"group": KEY, "generation": 5, "outcome": word, "seconds": 1.5, "failure": failure}


def step(stage: str, done: int = 0, total: int = 0) -> dict[str, Any]:
    told = {"group": KEY, "generation": 5, "stage": stage, "done": done, "total": total, "failure": None}
    return {"progress": told}


def run(registry: Registry, *arguments: str) -> Result:
    return CliRunner().invoke(jumpseat, ["restart-app", "--registry", str(registry.folder), *arguments])


def test_a_restart_that_is_not_waited_for_is_begun_and_named(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    begun = as_line({"ok": True, "groups": [outcome("started")]})
    registry.add("httpd-1", as_line(answer), restart_app=begun)
    result = run(registry, "/var/www/shop", "--rolling")
    assert (result.exit_code, result.output) == (0, "Restarting %s\n" % KEY)
    assert registry.asked[-1] == {"command": "restart_app", "name": [KEY], "method": "rolling", "wait": False}


def test_each_step_of_a_restart_that_is_waited_for_has_a_line(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    steps = [step("loading", 0, 2), step("replacing", 1, 2), step("replacing", 2, 2), step("completed", 2, 2)]
    told = b"".join(map(as_line, [*steps, {"ok": True, "groups": [outcome("completed")]}]))
    registry.add("httpd-1", as_line(answer), restart_app=told)
    result = run(registry, "/var/www", "--wait")
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        [
            KEY + ": loading generation 5",
            KEY + ": 1 of 2 workers run the new code",
            KEY + ": 2 of 2 workers run the new code",
            KEY + ": the new code serves (generation 5)",
        ],
    )


def test_a_release_that_cannot_be_loaded_ends_with_1_and_its_traceback(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    told = as_line(step("failed")) + as_line({"ok": True, "groups": [outcome("failed", FAILURE)]})
    registry.add("httpd-1", as_line(answer), restart_app=told)
    result = run(registry, "/var/www/shop", "--wait")
    assert result.exit_code == 1
    assert "the restart failed at step import (error 1f2e3d4c)" in result.stderr
    assert "Traceback (most recent call last):" in result.stderr
    assert "ImportError: no shop" in result.stderr


def test_json_has_the_outcome_alone(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    told = as_line(step("loading")) + as_line({"ok": True, "groups": [outcome("failed", FAILURE)]})
    registry.add("httpd-1", as_line(answer), restart_app=told)
    result = run(registry, "/var/www/shop", "--wait", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"groups": [outcome("failed", FAILURE)]}


def test_a_wait_that_is_over_ends_with_3(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    folder = registry.add("httpd-1")
    listener = _Silent(folder / "admin.sock", as_line(answer))
    try:
        result = run(registry, "/var/www/shop", "--timeout", "0.2")
    finally:
        listener.close()
    assert result.exit_code == 3
    assert "the restart continues" in result.stderr


@contextlib.contextmanager
def talking(registry: Registry, part: bytes, times: int) -> Iterator[Path]:
    """An admin socket that sends this again and again, and then the answer."""
    path = registry.add("httpd-1") / "admin.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def talk() -> None:
        line, _ = listener.accept()
        with line, contextlib.suppress(OSError):  # the client leaves
            for _number in range(times):
                line.sendall(part)
                time.sleep(0.01)
            line.sendall(b'{"ok": true}\n')

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield path
    finally:
        thread.join()
        listener.close()


def test_the_time_of_a_wait_is_that_of_the_whole_answer_however_many_steps_come(registry: Registry) -> None:
    told: list[dict[str, Any]] = []
    with talking(registry, b'{"progress": {}}\n', 200) as path, pytest.raises(NotInTime):
        follow(path, "restart_app", told.append, 0.15)
    assert len(told) < 100


def test_an_answer_without_an_end_is_given_up(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_client, "ANSWER_LIMIT", 1000)
    with talking(registry, b"x" * 400, 200) as path, pytest.raises(NoAnswer, match="longer than 1000 bytes"):
        follow(path, "restart_app", lambda _: None, 20)


@pytest.mark.parametrize("arguments", [["/srv"], ["--name", "other"], []])
def test_an_app_that_is_not_there_is_an_error_that_lists_those_that_are(
    registry: Registry, answer: dict[str, Any], as_line: AsLine, arguments: Sequence[str]
) -> None:
    registry.add("httpd-1", as_line(answer))
    result = run(registry, *arguments)
    assert result.exit_code == 1
    assert KEY in result.stderr


def test_what_is_not_there_can_be_ignored(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    assert run(registry, "/srv", "--ignore-passenger-not-running").exit_code == 0
    registry.add("httpd-1", as_line(answer))
    assert run(registry, "/srv", "--ignore-app-not-running").exit_code == 0


def test_that_several_servers_run_is_not_that_none_does(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    for name in ("httpd-1", "httpd-2"):
        registry.add(name, as_line(answer))
    assert run(registry, "/srv", "--ignore-passenger-not-running").exit_code == 1


@pytest.mark.parametrize("words", [[""], ["--name", ""], ["/srv", "--instance", ""], ["/srv", "--registry", ""]])
def test_what_an_unset_variable_of_a_script_leaves_is_wrong_usage(
    registry: Registry, answer: dict[str, Any], as_line: AsLine, words: Sequence[str]
) -> None:
    registry.add("httpd-1", as_line(answer))
    result = run(registry, *words)
    assert (result.exit_code, "it is empty" in result.stderr) == (2, True)
    assert registry.asked == []


def test_the_short_name_of_a_page_names_an_app(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    key = "/opt/lib/site-packages/graphite (production)"
    answer["groups"][0]["name"] = key
    registry.add("httpd-1", as_line(answer), restart_app=as_line({"ok": True, "groups": [outcome("started")]}))
    assert run(registry, "--name", "graphite (production)").exit_code == 0
    assert registry.asked[-1]["name"] == [key]


def test_a_path_and_a_name_together_are_wrong_usage(registry: Registry) -> None:
    assert run(registry, "/srv", "--name", "x").exit_code == 2


def test_a_restart_is_rolling_or_blocking_but_not_both(registry: Registry) -> None:
    assert run(registry, "/srv", "--rolling", "--blocking").exit_code == 2


def group(app_root: str) -> dict[str, Any]:
    return {"name": app_root + " (production)", "app_root": app_root}


def roots(groups: Sequence[dict[str, Any]]) -> list[str]:
    return [one["app_root"] for one in groups]


def test_a_path_means_what_lies_there_or_below() -> None:
    groups = [group(root) for root in ("/srv/a", "/srv/a/b", "/srv/ab")]
    assert roots(apps_at_path(groups, "/srv/a/")) == ["/srv/a", "/srv/a/b"]
    assert roots(apps_at_path(groups, "/")) == ["/srv/a", "/srv/a/b", "/srv/ab"]


def test_a_path_in_an_app_means_that_app() -> None:
    groups = [group(root) for root in ("/srv/a", "/srv/a/b")]
    assert roots(apps_at_path(groups, "/srv/a/b/static")) == ["/srv/a/b"]
    assert roots(apps_at_path(groups, "/srv/a/static")) == ["/srv/a"]


def test_a_link_is_found_by_both_of_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "current").symlink_to("release")
    linked, resolved = [group(str(tmp_path / "current"))], [group(str(tmp_path / "release"))]
    monkeypatch.chdir(tmp_path / "current")
    monkeypatch.setenv("PWD", str(tmp_path / "current"))
    assert apps_around(linked, ".") == linked
    assert apps_around(resolved, ".") == resolved


def test_a_shell_s_idea_of_the_folder_that_is_wrong_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", "/srv/a")
    assert apps_around([group("/srv/a")], ".") == ([] if os.getcwd() != "/srv/a" else [group("/srv/a")])


def test_passenger_s_prefix_is_text() -> None:
    groups = [group("/srv/a"), group("/srv/ab"), group("/opt/a")]
    assert roots(apps_with_root_prefix(groups, "/srv/a")) == ["/srv/a", "/srv/ab"]
    with pytest.raises(NoSuchApp):
        apps_with_root_prefix(groups, "/home")


def test_the_menu_gives_the_app_whose_number_is_typed() -> None:
    groups = [group("/srv/a"), group("/srv/b")]
    asked: list[str] = []

    def type_two(question: str, highest: int) -> int:
        asked.append(question)
        return highest

    assert roots(app_from_menu(groups, type_two)) == ["/srv/b"]
    assert "  1  /srv/a (production)\n  2  /srv/b (production)" in asked[0]


class _Silent:
    """An admin socket that answers `status` and nothing else, and keeps the connection."""

    def __init__(self, path: Path, status: bytes) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._status = status
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for _ in range(2):
            line, _address = self._listener.accept()
            self._kept.append(line)
            if b'"status"' in line.recv(65536):
                line.sendall(self._status)

    def close(self) -> None:
        self._thread.join()
        for line in [*self._kept, self._listener]:
            line.close()
