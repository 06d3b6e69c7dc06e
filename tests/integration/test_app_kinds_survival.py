"""What apps of every kind live through, and how they end with httpd."""

from __future__ import annotations

import os
import signal

import pytest

from support.app_kinds import KINDS, SOON, Placed, place
from support.applications import AppFolders
from support.background import Background
from support.deployment import Deployment
from support.serving import CheckedHttpd
from support.status import wait_for_new_spawner, wait_for_workers
from support.waiting import eventually


def all_kinds(httpd: CheckedHttpd, apps: AppFolders) -> dict[str, Placed]:
    """Each of them serves."""
    found = {kind: place(httpd, apps, kind, "root") for kind in KINDS}
    httpd.start()
    assert [app.get("/").text for app in found.values()] == [f"kind {kind}" for kind in KINDS]
    return found


@pytest.fixture(scope="module")
def taken_over(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> dict[str, Placed]:
    """Apps whose spawner has been killed; the next one has taken them over."""
    shared_httpd.logs.allow("JS|AH0")
    shared_httpd.add("PassengerMaxPoolSize 20")
    found = all_kinds(shared_httpd, shared_apps)
    pids = {kind: app.get("/pid").text for kind, app in found.items()}
    held = {kind: Background(lambda app=app: app.get("/hold")) for kind, app in found.items()}  # type: ignore[misc]
    for app in found.values():
        app.folder.wait_for_event("holding")
    old = shared_httpd.spawner_pid()
    os.kill(old, signal.SIGKILL)
    wait_for_new_spawner(shared_httpd, old)
    for kind, app in found.items():
        app.folder.open_gate("hold")
        assert held[kind].result().text == f"kind {kind}"
    assert {kind: app.get("/pid").text for kind, app in found.items()} == pids
    return found


@pytest.fixture(params=KINDS)
def survivor(request: pytest.FixtureRequest, taken_over: dict[str, Placed]) -> Placed:
    taken_over[request.param].server.logs.allow("JS|AH0")
    return taken_over[request.param]


def test_a_worker_killed_after_the_spawner_was_is_replaced(survivor: Placed) -> None:
    pid = survivor.get("/pid").text
    os.kill(int(pid), signal.SIGKILL)
    eventually(lambda: survivor.get("/pid").text not in (pid, ""), "another worker", SOON)


def test_restart_txt_works_after_the_spawner_was_killed(survivor: Placed) -> None:
    survivor.folder.write("release.txt", "second")
    survivor.folder.touch_restart()
    eventually(lambda: survivor.get("/release").text == "second", "the second release", SOON)
    wait_for_workers(survivor.server, 1, survivor.group)


def test_a_graceful_stop_lets_requests_finish_and_ends_everything(httpd: CheckedHttpd, apps: AppFolders) -> None:
    found = all_kinds(httpd, apps)
    held = [Background(lambda app=app: app.get("/hold")) for app in found.values()]  # type: ignore[misc]
    for app in found.values():
        app.folder.wait_for_event("holding")
    os.kill(httpd.pid, signal.SIGWINCH)
    httpd.logs.wait_for("AH00492|caught SIGWINCH")
    for app in found.values():
        app.folder.open_gate("hold")
    assert [request.result().text for request in held] == [f"kind {kind}" for kind in KINDS]
    assert httpd.process is not None
    eventually(httpd.process.all_have_ended, "the end of everything")


@pytest.mark.parametrize("kind", KINDS)
def test_switching_the_link_of_the_app_root_brings_the_new_release(
    httpd: CheckedHttpd, apps: AppFolders, kind: str
) -> None:
    deployment = Deployment(httpd, f"kinds/{kind}")
    first, second = deployment.make(1), deployment.make(2)
    deployment.switch(first)
    app = place(httpd, apps, kind, "linked", folder=deployment.folder)
    httpd.start()
    assert app.get("/release").text == "release 1"
    deployment.switch(second)
    eventually(lambda: app.get("/release").text == "release 2", "the second release", SOON)
    wait_for_workers(httpd, 1)
    assert os.readlink(f"/proc/{app.get('/pid').text}/cwd") == str(second.root)
