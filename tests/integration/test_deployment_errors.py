"""A broken release is deployed while clients ask: the old one serves on, all see why, and the mended one comes in."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support.applications import AppFolder, AppFolders
from support.concurrent_clients import ConcurrentClients
from support.serving import CheckedHttpd
from support.status import group, preloaders, run_command, wait_for_new_spawner, workers
from support.waiting import eventually, remains_true

#: The five ways in which a release is broken, and a word of what is said of it.
BROKEN = {
    "missing import": ("import no_such_module_anywhere\n", "no_such_module_anywhere"),
    "syntax error": ("def broken(:\n", "SyntaxError"),
    "exit": ("import os\nos._exit(9)\n", "exit status 9"),
    "hang": ("import time\ntime.sleep(3600)\n", "PassengerStartTimeout"),
    "wrong name": ("app = lambda environ, start_response: []\n", "application"),
}


@pytest.fixture
def release(apps: AppFolders) -> AppFolder:
    return apps.create("release")


def start(httpd: CheckedHttpd, release: AppFolder, body: str = "", kind: str = "") -> None:
    httpd.logs.allow("JS")
    limit = "PassengerStartTimeout 5\n" if kind == "hang" else ""
    httpd.site(document_root=release.public, body=limit + body)
    httpd.start()
    assert httpd.get("/").text == "first"


def deploy(release: AppFolder, entry: str) -> str:
    """Put another entry file in place, and touch restart.txt; what was there before."""
    before = release.entry.read_text()
    release.write("passenger_wsgi.py", entry)
    release.touch_restart()
    return before


def generations_of_preloaders(httpd: CheckedHttpd) -> list[int]:
    return [one["generation"] for one in preloaders(httpd)]


def error_file(release: AppFolder) -> Path:
    return release.root / "tmp" / "restart.error.txt"


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_release_under_load_costs_no_request_and_the_mended_one_comes_in(
    httpd: CheckedHttpd, release: AppFolder, kind: str
) -> None:
    entry, word = BROKEN[kind]
    start(httpd, release, "PassengerMinInstances 2", kind)
    with ConcurrentClients(httpd, 6, ["/"], pause=0.005) as load:
        before = deploy(release, entry)
        pinned = eventually(lambda: group(httpd)["pinned_release"], "the failure in status")
        eventually(error_file(release).exists, "restart.error.txt")
        seen = len(load.answers)
        eventually(lambda: len(load.answers) > seen + 50, "more answers")
        release.write("release.txt", "second")
        deploy(release, before)
        eventually(lambda: load.answers[-1].answer.text == "second", "the mended release")
    assert load.failures == []
    assert {seen.answer.text for seen in load.answers} == {"first", "second"}
    assert word in pinned["summary"] + pinned["detail"]
    assert httpd.logs.count("JS3513: cannot start the app: .*continues to serve") == 1
    eventually(lambda: not error_file(release).exists(), "restart.error.txt goes with the failure")
    assert group(httpd)["pinned_release"] is None


@pytest.mark.parametrize("kind", BROKEN)
def test_a_deploy_script_that_waits_hears_why_and_fails(httpd: CheckedHttpd, release: AppFolder, kind: str) -> None:
    entry, word = BROKEN[kind]
    start(httpd, release, kind=kind)
    release.write("passenger_wsgi.py", entry)
    answer = run_command(httpd, "restart-app", str(release.root), "--wait")
    assert answer.returncode == 1
    assert word in answer.stdout + answer.stderr
    assert httpd.get("/").text == "first"


def test_the_file_names_the_release_and_the_traceback_and_belongs_to_the_app(
    httpd: CheckedHttpd, release: AppFolder
) -> None:
    start(httpd, release)
    deploy(release, BROKEN["missing import"][0])
    eventually(error_file(release).exists, "restart.error.txt")
    text = eventually(error_file(release).read_text, "its text")
    assert "no_such_module_anywhere" in text
    assert "Traceback" in text
    assert error_file(release).owner() == release.entry.owner()


def test_a_worker_lost_while_a_release_is_resisted_is_forked_from_the_old_one(
    httpd: CheckedHttpd, release: AppFolder
) -> None:
    start(httpd, release, "PassengerMaxPreloaderIdleTime 1")
    deploy(release, BROKEN["syntax error"][0])
    eventually(lambda: group(httpd)["pinned_release"], "the failure in status")
    eventually(lambda: generations_of_preloaders(httpd) == [1], "the end of the one that has failed")
    remains_true(lambda: generations_of_preloaders(httpd) == [1], "the old preloader is kept", 2.0)
    pid = workers(httpd)[0]["pid"]
    run_command(httpd, "detach-process", str(pid))
    eventually(lambda: {worker["pid"] for worker in workers(httpd)} - {pid}, "another worker")
    assert httpd.get("/").text == "first"


def test_a_pinned_release_outlives_the_spawner(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release)
    deploy(release, BROKEN["missing import"][0])
    eventually(lambda: group(httpd)["pinned_release"], "the failure in status")
    before = httpd.get("/pid").text
    spawner = httpd.spawner_pid()
    httpd.logs.expect("JS10")
    os.kill(spawner, signal.SIGKILL)
    wait_for_new_spawner(httpd, spawner)
    told = eventually(lambda: group(httpd), "its status")
    assert told["pinned_release"]["generation"] == 2
    assert told["state"] == "serving"
    assert httpd.get("/pid").text == before


def test_without_pinning_the_broken_release_takes_the_place_of_the_old_one(
    httpd: CheckedHttpd, release: AppFolder
) -> None:
    start(httpd, release, "PassengerResistDeploymentErrors off")
    before = deploy(release, BROKEN["missing import"][0])
    eventually(lambda: httpd.get("/").status == 500, "the failure")
    assert group(httpd)["pinned_release"] is None
    deploy(release, before)
    assert eventually(lambda: httpd.get("/").status == 200, "the mended release")
