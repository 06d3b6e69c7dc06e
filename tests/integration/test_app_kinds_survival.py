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


def allow_what_a_killed_spawner_brings(apps: dict[str, Placed]) -> None:
    next(iter(apps.values())).server.logs.allow("JS|AH0")


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


def test_a_worker_killed_after_the_spawner_was_is_replaced(taken_over: dict[str, Placed]) -> None:
    allow_what_a_killed_spawner_brings(taken_over)
    killed = {kind: app.get("/pid").text for kind, app in taken_over.items()}
    for pid in killed.values():
        os.kill(int(pid), signal.SIGKILL)
    for kind, app in taken_over.items():
        eventually(lambda: app.get("/pid").text not in (killed[kind], ""), f"another worker of {kind}", SOON)  # noqa: B023


def test_restart_txt_works_after_the_spawner_was_killed(taken_over: dict[str, Placed]) -> None:
    allow_what_a_killed_spawner_brings(taken_over)
    for app in taken_over.values():
        app.folder.write("release.txt", "second")
        app.folder.touch_restart()
    for kind, app in taken_over.items():
        eventually(lambda: app.get("/release").text == "second", f"the second release of {kind}", SOON)  # noqa: B023
        wait_for_workers(app.server, 1, app.group)


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


def test_switching_the_link_of_the_app_root_brings_the_new_release(httpd: CheckedHttpd, apps: AppFolders) -> None:
    deployments = {kind: Deployment(httpd, f"kinds/{kind}", kind) for kind in KINDS}
    for deployment in deployments.values():
        deployment.switch(deployment.make(1))
    found = {kind: place(httpd, apps, kind, "root", folder=one.folder) for kind, one in deployments.items()}
    httpd.start()
    assert [app.get("/release").text for app in found.values()] == ["release 1"] * len(KINDS)
    second = {kind: deployment.make(2) for kind, deployment in deployments.items()}
    for kind, deployment in deployments.items():
        deployment.switch(second[kind])
    for kind, app in found.items():
        eventually(lambda: app.get("/release").text == "release 2", f"the second release of {kind}", SOON)  # noqa: B023
        wait_for_workers(httpd, 1, app.group)
        assert os.readlink(f"/proc/{app.get('/pid').text}/cwd") == str(second[kind].root)
