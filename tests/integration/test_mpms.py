"""The main things once more under the other MPMs, and as a normal user."""

from __future__ import annotations

from typing import Callable

import pytest

from support.applications import AppFolder, AppFolders
from support.concurrent_clients import ConcurrentClients
from support.paths import path
from support.serving import CheckedHttpd
from support.status import wait_for_workers
from support.waiting import eventually

MEGABYTE = 1 << 20


@pytest.fixture(params=["worker", "prefork"])
def server(request: pytest.FixtureRequest, httpd: CheckedHttpd) -> CheckedHttpd:
    """A server under each MPM that is not the usual one, not yet started."""
    httpd.configuration.mpm = request.param
    return httpd


def test_an_app_is_served(server: CheckedHttpd, probe: AppFolder) -> None:
    server.site(document_root=probe.public)
    server.start()
    assert server.get("/").text == "the probe's front page"


def test_uploads_and_big_answers_arrive_whole(server: CheckedHttpd, probe: AppFolder) -> None:
    server.site(document_root=probe.public)
    server.start()
    assert server.post("/echo", b"x" * MEGABYTE).body == b"x" * MEGABYTE
    assert len(server.get(path("/big", size=5 * MEGABYTE)).body) == 5 * MEGABYTE


def test_restart_txt_brings_the_next_release(server: CheckedHttpd, apps: AppFolders) -> None:
    release = apps.create("release")
    server.site(document_root=release.public)
    server.start()
    assert server.get("/").text == "first"
    release.write("release.txt", "second")
    release.touch_restart()
    eventually(lambda: server.get("/").text == "second", "the second release")


def test_a_graceful_restart_keeps_the_workers(server: CheckedHttpd, probe: AppFolder) -> None:
    server.site(document_root=probe.public)
    server.start()
    pid = server.get("/pid").text
    server.graceful()
    assert server.get("/pid").text == pid


def test_a_load_is_answered_without_a_fault(server: CheckedHttpd, probe: AppFolder) -> None:
    server.site(document_root=probe.public, body="PassengerMinInstances 3")
    server.start()
    server.get("/")
    wait_for_workers(server, 3)
    with ConcurrentClients(server, 15, ["/", "/echo"], pause=0.005, idle_close_is_fine=True) as load:
        eventually(lambda: len(load.answers) > 500, "five hundred answers", 100)
    assert load.failures == []


@pytest.mark.needs_root
@pytest.mark.usefixtures("module_for_other_users")
def test_everything_runs_as_a_normal_user(make_httpd: Callable[..., CheckedHttpd]) -> None:
    server = make_httpd(user="games")
    app = AppFolders(server.folder / "apps").create("probe", owner="games")
    server.site(document_root=app.public)
    server.start()
    assert server.get("/process").json()["user"] == "games"
    assert {process.username() for process in server.processes()} == {"games"}


@pytest.mark.needs_root
@pytest.mark.usefixtures("module_for_other_users")
def test_restart_txt_works_as_a_normal_user(make_httpd: Callable[..., CheckedHttpd]) -> None:
    server = make_httpd(user="games")
    app = AppFolders(server.folder / "apps").create("release", owner="games")
    server.site(document_root=app.public)
    server.start()
    assert server.get("/").text == "first"
    app.write("release.txt", "second")
    app.touch_restart()
    eventually(lambda: server.get("/").text == "second", "the second release")
