"""`jumpseat restart-app`: what a deploy script relies on."""

from __future__ import annotations

import json

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.commands import OnTerminal, run_as, told
from support.concurrent_clients import ConcurrentClients
from support.serving import CheckedHttpd
from support.status import group, run_command, status, wait_for_workers
from support.waiting import eventually

#: Releases that do not load: what makes them so, and what the command line has to say of it.
BROKEN = {
    "missing import": ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    "syntax error": ("def broken(:\n", "SyntaxError"),
    "exit": ("import sys\nsys.exit(7)\n", "7"),
    "hang": ("import time\ntime.sleep(3600)\n", "PassengerStartTimeout"),
    "wrong name": ("app = None\n", "application"),
}


@pytest.fixture
def release(apps: AppFolders) -> AppFolder:
    return apps.create("release")


@pytest.fixture
def server(httpd: CheckedHttpd, release: AppFolder) -> CheckedHttpd:
    """The app serves its first release."""
    httpd.site(document_root=release.public)
    httpd.start()
    assert httpd.get("/").text == "first"
    return httpd


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_release_is_1_with_the_reason_and_the_mended_one_0(
    httpd: CheckedHttpd, release: AppFolder, way: str
) -> None:
    httpd.site(document_root=release.public, body="PassengerStartTimeout 4" if way == "hang" else "")
    server = httpd.start()
    assert server.get("/").text == "first"
    server.logs.expect("JS3513")
    server.logs.allow("JS3")
    good = release.entry.read_text()
    entry, reason = BROKEN[way]
    release.write("passenger_wsgi.py", entry)
    with ConcurrentClients(server, 4, ["/"]) as load:
        failed = run_command(server, "restart-app", str(release.root), "--wait")
        assert failed.returncode == 1, failed.stdout
        assert "the restart failed at step" in failed.stderr
        assert reason in failed.stderr
        release.write("passenger_wsgi.py", good)
        release.write("release.txt", "mended")
        mended = run_command(server, "restart-app", str(release.root), "--wait")
        assert mended.returncode == 0, mended.stderr
        assert server.get("/").text == "mended"
    assert load.failures == []


def test_the_reason_is_in_status_until_the_mended_release_is_there(server: CheckedHttpd, release: AppFolder) -> None:
    server.logs.expect("JS3513")
    release.write("loading.txt", "raise")
    assert run_command(server, "restart-app", str(release.root), "--wait").returncode == 1
    assert "cannot> load" in group(server)["pinned_release"]["summary"]
    assert "Deployment error" in run_command(server, "status").stdout
    release.write("loading.txt", "")
    assert run_command(server, "restart-app", str(release.root), "--wait").returncode == 0
    assert group(server)["pinned_release"] is None


@pytest.mark.parametrize("method", ["--rolling", "--blocking"])
def test_after_a_restart_that_was_waited_for_only_new_code_answers(
    server: CheckedHttpd, release: AppFolder, method: str
) -> None:
    release.write("release.txt", "second")
    answer = run_command(server, "restart-app", str(release.root), "--wait", method)
    assert answer.returncode == 0, answer.stderr
    assert {server.get("/").text for _ in range(10)} == {"second"}


def test_progress_is_told_worker_by_worker(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.site(document_root=release.public, body="PassengerMinInstances 3")
    httpd.start()
    httpd.get("/")
    wait_for_workers(httpd, 3)
    lines = run_command(httpd, "restart-app", str(release.root), "--wait").stdout.splitlines()
    words = [line.partition("(production): ")[2] for line in lines]
    assert words[0] == "loading generation 2"
    assert words[-1] == "the new code serves (generation 2)"
    numbers = [word for word in words if "of 3 workers run the new code" in word]
    assert numbers == ["%d of 3 workers run the new code" % done for done in (1, 2, 3)]


def test_json_tells_the_outcome(server: CheckedHttpd, release: AppFolder) -> None:
    (outcome,) = told(server, "restart-app", str(release.root), "--wait", "--json")["groups"]
    assert (outcome["outcome"], outcome["generation"], outcome["failure"]) == ("completed", 2, None)
    assert outcome["group"] == f"{release.root} (production)"


def test_a_restart_that_is_not_waited_for_is_only_begun(server: CheckedHttpd, release: AppFolder) -> None:
    release.write("loading.txt", "gate")
    (outcome,) = told(server, "restart-app", str(release.root), "--json")["groups"]
    assert outcome["outcome"] == "started"
    assert server.get("/").text == "first"
    release.open_gate("load")
    eventually(lambda: group(server)["generation"] == 2, "the next generation")


def test_a_wait_that_takes_too_long_is_3_and_the_restart_goes_on(server: CheckedHttpd, release: AppFolder) -> None:
    release.write("loading.txt", "gate")
    release.write("release.txt", "second")
    answer = run_command(server, "restart-app", str(release.root), "--timeout", "0.5")
    assert answer.returncode == 3
    release.open_gate("load")
    eventually(lambda: server.get("/").text == "second", "the second release")


def test_a_newer_restart_answers_for_the_one_that_it_replaces(server: CheckedHttpd, release: AppFolder) -> None:
    release.write("loading.txt", "gate")
    first = Background(lambda: run_command(server, "restart-app", str(release.root), "--wait"))
    eventually(lambda: group(server)["next_generation"] == 2, "the first restart")
    second = Background(lambda: run_command(server, "restart-app", str(release.root), "--wait"))
    eventually(lambda: group(server)["next_generation"] == 3, "the second restart")
    release.open_gate("load")
    assert (first.result().returncode, second.result().returncode) == (0, 0)
    assert "a newer restart has replaced this one" in first.result().stdout
    assert group(server)["generation"] == 3


def test_an_app_without_a_process_is_started_to_prove_that_it_loads(
    httpd: CheckedHttpd, release: AppFolder
) -> None:
    httpd.add("PassengerPoolIdleTime 1")
    httpd.site(document_root=release.public, body="PassengerMinInstances 0\nPassengerMaxPreloaderIdleTime 1")
    httpd.start()
    httpd.get("/")
    eventually(lambda: group(httpd)["processes"] == [], "the end of every process")
    httpd.logs.allow("JS3")
    release.write("loading.txt", "raise")
    assert run_command(httpd, "restart-app", str(release.root), "--wait").returncode == 1
    release.write("loading.txt", "")
    release.write("release.txt", "second")
    assert run_command(httpd, "restart-app", str(release.root), "--wait").returncode == 0
    assert httpd.get("/").text == "second"


def test_an_app_that_was_never_asked_for_is_not_known(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.site(document_root=release.public)
    httpd.start()
    httpd.wait_for_spawner()
    answer = run_command(httpd, "restart-app", str(release.root), "--wait")
    assert answer.returncode == 1
    assert "first request" in answer.stderr
    assert run_command(httpd, "restart-app", str(release.root), "--ignore-app-not-running").returncode == 0


def test_a_stopped_server_can_be_ignored(server: CheckedHttpd, release: AppFolder) -> None:
    server.stop()
    assert run_command(server, "restart-app", "/").returncode == 1
    assert run_command(server, "restart-app", "/", "--ignore-passenger-not-running").returncode == 0


def test_in_the_app_s_folder_no_path_is_needed(server: CheckedHttpd, release: AppFolder) -> None:
    command = OnTerminal(server, "restart-app", "--wait", folder=release.public)
    assert command.end() == 0, command.text
    assert "the new code serves (generation 2)" in command.text


def test_elsewhere_a_terminal_shows_a_menu(server: CheckedHttpd, release: AppFolder) -> None:
    command = OnTerminal(server, "restart-app")
    command.read_until("Number")
    command.type("1\n")
    assert command.end() == 0, command.text
    assert f"  1  {release.root} (production)" in command.text
    eventually(lambda: group(server)["generation"] == 2, "the next generation")


def test_the_menu_s_default_is_none(server: CheckedHttpd) -> None:
    command = OnTerminal(server, "restart-app")
    command.read_until("Number")
    command.type("\n")
    assert command.end() == 1
    assert group(server)["generation"] == 1


def test_the_root_means_every_app(server: CheckedHttpd, apps: AppFolders) -> None:
    other = apps.create("probe", "other")
    server.site("other.example", other.public)
    server.graceful()
    assert server.checks is not None
    server.checks.remember_descriptors()
    assert server.get("/", "other.example").status == 200
    assert len(told(server, "restart-app", "/", "--wait", "--json")["groups"]) == 2
    assert [one["generation"] for one in status(server)["groups"]] == [2, 2]


def test_the_spawner_s_end_ends_the_wait(server: CheckedHttpd, release: AppFolder) -> None:
    release.write("loading.txt", "gate")
    waiting = Background(lambda: run_command(server, "restart-app", str(release.root), "--wait"))
    eventually(lambda: group(server)["next_generation"] == 2, "the restart")
    server.stop()
    answer = waiting.result()
    assert answer.returncode in (1, 2)
    assert answer.stderr.strip()


def test_passenger_s_name_of_it_restarts_too(server: CheckedHttpd, release: AppFolder) -> None:
    answer = run_command(
        server, "restart-app", str(release.root.parent), "--rolling-restart", program="passenger-config"
    )
    assert answer.returncode == 0, answer.stderr
    eventually(lambda: group(server)["generation"] == 2, "the next generation")


@pytest.mark.needs_root
def test_the_app_s_own_user_restarts_it_and_waits(server: CheckedHttpd, release: AppFolder) -> None:
    server.logs.expect("JS3513")
    release.write("release.txt", "second")
    answer = run_as(server, release.owner, "restart-app", str(release.root), "--wait")
    assert answer.returncode == 0, answer.stderr
    assert server.get("/").text == "second"
    release.write("loading.txt", "raise")
    failed = run_as(server, release.owner, "restart-app", "/", "--wait", "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["groups"][0]["failure"]["step"]


@pytest.mark.needs_root
def test_another_user_hears_nothing_of_an_app_and_restarts_nothing(server: CheckedHttpd, release: AppFolder) -> None:
    for arguments in ([str(release.root)], ["/"], ["--name", f"{release.root} (production)"]):
        answer = run_as(server, "daemon", "restart-app", *arguments)
        assert answer.returncode == 1
        assert "production" not in answer.stdout + answer.stderr.replace(arguments[-1], "")
    assert group(server)["generation"] == 1
