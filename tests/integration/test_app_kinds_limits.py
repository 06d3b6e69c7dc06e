"""Limits, counts and commands: they hold for apps of every kind, however their processes are started and asked."""

from __future__ import annotations

import os
import pwd
import re
import time
from typing import Callable

import pytest

from spawner.app_types import APP_TYPES
from support.app_kinds import KINDS, SOON, Placed, place
from support.applications import AppFolders
from support.background import Background
from support.client import Answer
from support.serving import CheckedHttpd
from support.status import group, run_command, wait_for_workers, workers
from support.waiting import eventually, remains_true

ONE_REQUEST = "PassengerMaxInstances 1\nPassengerForceMaxConcurrentRequestsPerProcess 1"
#: What the site of each test says.
SITES = {
    "plain": "PassengerMaxInstances 1",
    "worn": "PassengerMaxRequests 3\nPassengerMaxInstances 1",
    "large": "PassengerHardMemoryLimit 150\nPassengerMaxInstances 1",
    "slow": "PassengerMaxRequestTime 1\nPassengerMaxInstances 1",
    "queued": f"{ONE_REQUEST}\nPassengerMaxRequestQueueTime 1",
    "full": f"{ONE_REQUEST}\nPassengerMaxRequestQueueSize 2",
    "busy": "PassengerMaxInstances 2\nPassengerForceMaxConcurrentRequestsPerProcess 1",
    "fresh": "",
    "friendly": "PassengerFriendlyErrorPages on",
    "sticky": "PassengerStickySessions on",
    "streamed": "PassengerBufferUpload off",
    "user": "PassengerUser backup\nPassengerLoadShellEnvvars off",
}


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> CheckedHttpd:
    shared_httpd.add("PassengerMaxPoolSize 80\nPassengerPoolIdleTime 1")
    for kind in KINDS:
        for name, body in SITES.items():
            app = place(shared_httpd, shared_apps, kind, name, body)
            if name == "friendly":
                app.folder.write("loading.txt", "raise")
            if name == "fresh":
                app.folder.write("tmp/always_restart.txt", "")
    return shared_httpd.start()


#: Kinds whose workers say when they take a request; for others these options have no effect (docs/programs.md).
ACKNOWLEDGING = [kind for kind in KINDS if "acknowledge" in APP_TYPES[kind].capabilities]
acknowledging = pytest.mark.parametrize("site", ACKNOWLEDGING, indirect=True)


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, server: CheckedHttpd, shared_apps: AppFolders) -> Callable[[str], Placed]:
    """The app of one kind with the directives of one of SITES."""

    def found(name: str) -> Placed:
        folder = shared_apps.existing(f"{request.param}-{name}")
        return Placed(request.param, f"{request.param}-{name}.example", "", folder, server)

    return found


def hold(app: Placed, name: str = "") -> Background[Answer]:
    """A request that the app is in, until its gate is opened."""
    request = Background(lambda: app.get(f"/hold?{name}"))
    app.folder.wait_for_event(f"holding{name}")
    return request


def pids(app: Placed) -> set[str]:
    return {str(worker["pid"]) for worker in workers(app.server, app.group)}


def test_a_worker_that_has_served_as_many_requests_as_it_may_is_replaced(site: Callable[[str], Placed]) -> None:
    app = site("worn")
    first = app.get("/pid").text
    assert [app.get("/pid").text for _ in range(2)] == [first] * 2
    eventually(lambda: app.get("/pid").text != first, "another worker", SOON)
    eventually(lambda: first not in pids(app), "the end of the first", SOON)


def test_a_worker_above_its_hard_memory_limit_is_killed_at_once(site: Callable[[str], Placed]) -> None:
    app = site("large")
    app.server.logs.expect("JS3533")
    app.server.logs.allow("JS2")
    before = app.get("/pid").text
    request = Background(lambda: app.get("/grow?200"))
    app.folder.wait_for_event("holding")
    assert request.result().status == 502
    line = app.server.logs.wait_for(f"JS3533.*{app.folder.root}")
    assert f" {before} of {app.folder.root} " in line
    assert "more than PassengerHardMemoryLimit 150" in line
    assert not re.search(f"JS3024.*{app.folder.root}", app.server.logs.text()), "it is told once"
    assert app.get("/pid").text != before


def test_a_request_that_takes_too_long_is_a_504_and_the_app_serves_on(site: Callable[[str], Placed]) -> None:
    app = site("slow")
    app.server.logs.expect("JS2131")
    app.server.logs.allow("JS3")
    # The time that a program needs to start counts, too.
    eventually(lambda: app.get("/").status == 200, "the app to be loaded", SOON)
    held = hold(app)
    assert held.result().status == 504
    eventually(lambda: app.get("/").text == f"kind {app.kind}", "another answer", SOON)
    eventually(lambda: not sum(one["running"] for one in workers(app.server, app.group)), "the request's end", SOON)


@acknowledging
def test_who_has_waited_too_long_gets_a_504_and_the_app_never_runs_it(site: Callable[[str], Placed]) -> None:
    app = site("queued")
    app.server.logs.expect("JS2130")
    eventually(lambda: app.get("/").status == 200, "the app to be loaded", SOON)
    held = hold(app, "first")
    begun = time.monotonic()
    answer = app.get("/hold?late")
    assert (answer.status, answer.header("Retry-After")) == (504, "1")
    assert 1.0 <= time.monotonic() - begun < 11.0
    app.folder.open_gate("holdfirst")
    assert held.result().status == 200
    assert app.get("/").status == 200  # behind the late one in the queue
    assert "holdinglate" not in app.folder.event_names()


def test_a_request_that_finds_the_queue_full_is_503_at_once(site: Callable[[str], Placed]) -> None:
    app = site("full")
    app.server.logs.expect("JS2")
    assert app.get("/").status == 200
    held = hold(app)
    others = [Background(lambda: app.get("/")) for _ in range(8)]
    eventually(lambda: sum(other.done for other in others) >= 5, "most of the others to be refused", SOON)
    refused = [other.result() for other in others if other.done]
    assert {answer.status for answer in refused} == {503}
    assert all((answer.header("Retry-After") or "").isdigit() for answer in refused)
    app.folder.open_gate("hold")
    assert held.result().status == 200
    assert {other.result().status for other in others} == {200, 503}


def test_another_worker_comes_when_all_are_busy_and_goes_when_it_is_idle(site: Callable[[str], Placed]) -> None:
    app = site("busy")
    held = [hold(app, "first"), hold(app, "second")]
    assert len(wait_for_workers(app.server, 2, app.group)) == 2
    for name in ("holdfirst", "holdsecond"):
        app.folder.open_gate(name)
    assert [request.result().status for request in held] == [200, 200]
    wait_for_workers(app.server, 1, app.group)
    remains_true(lambda: len(workers(app.server, app.group)) == 1, "the minimum stays", 0.5)


def test_with_always_restart_each_request_sees_the_code_of_its_moment(site: Callable[[str], Placed]) -> None:
    app = site("fresh")
    eventually(lambda: app.get("/").status == 200 and group(app.server, app.group)["always_restart"], "the file", SOON)
    for word in ("one", "two"):
        app.folder.write("release.txt", word)
        assert app.get("/release").text == word
    assert len({app.get("/pid").text for _ in range(3)}) == 3


def test_the_friendly_page_shows_what_the_app_said_before_it_ended(site: Callable[[str], Placed]) -> None:
    app = site("friendly")
    app.server.logs.allow("JS3")
    answer = app.get("/")
    assert answer.status == 500
    assert "the app fails on purpose" in answer.text


@acknowledging
def test_a_client_with_a_sticky_session_comes_back_to_its_worker(site: Callable[[str], Placed]) -> None:
    app = site("sticky")
    first = app.get("/pid")
    cookie = (first.header("Set-Cookie") or "").partition(";")[0]
    assert cookie.startswith("_passenger_route=")
    again = app.get("/pid", cookie=cookie)
    assert (again.text, again.header("Set-Cookie")) == (first.text, None)


def test_an_upload_that_is_not_buffered_reaches_the_app_in_parts_and_whole(site: Callable[[str], Placed]) -> None:
    app = site("streamed")
    with app.server.client(app.host) as client:
        assert client.request("POST", "/echo", iter([b"one", b"two" * 50_000])).body == b"one" + b"two" * 50_000
        assert client.request("POST", "/echo", b"three").body == b"three"


@pytest.mark.needs_root
def test_a_user_that_is_given_wins_over_the_owner(site: Callable[[str], Placed]) -> None:
    app, entry = site("user"), pwd.getpwnam("backup")
    assert app.get("/user").text == str(entry.pw_uid)
    assert os.stat(f"/proc/{app.get('/pid').text}").st_gid == entry.pw_gid


def test_a_line_of_the_app_is_in_the_log_of_its_site_with_its_pid(site: Callable[[str], Placed]) -> None:
    app = site("plain")
    pid = app.get("/pid").text
    app.get("/say?whose-line")
    line = app.server.logs.wait_for("whose-line", f"{app.host}.log")
    time_of_it = r"^\[\w{3} \w{3} \d\d \d\d:\d\d:\d\d\.\d{6} \d{4}\] "
    assert re.search(rf"{time_of_it}.*App {pid} output: whose-line$", line), line


def test_the_status_counts_the_requests_of_a_worker_and_shows_its_memory(site: Callable[[str], Placed]) -> None:
    app = site("plain")
    pid = app.get("/pid").text
    (worker,) = workers(app.server, app.group)
    before = worker["requests"]
    for _ in range(3):
        app.get("/")
    eventually(lambda: workers(app.server, app.group)[0]["requests"] >= before + 3, "three requests more", SOON)
    (worker,) = workers(app.server, app.group)
    assert str(worker["pid"]) == pid
    assert worker["memory"]["uss"] > 0
    held = hold(app)
    eventually(lambda: workers(app.server, app.group)[0]["running"] == 1, "a busy worker", SOON)
    app.folder.open_gate("hold")
    assert held.result().status == 200
    eventually(lambda: workers(app.server, app.group)[0]["running"] == 0, "an idle worker", SOON)


def test_a_restart_that_is_waited_for_says_why_it_failed(site: Callable[[str], Placed]) -> None:
    app = site("plain")
    app.server.logs.allow("JS3")
    assert app.get("/").status == 200
    app.folder.write("loading.txt", "raise")
    failed = run_command(app.server, "restart-app", app.group, "--wait")
    assert failed.returncode == 1
    assert "the app fails on purpose" in failed.stderr
    app.folder.write("loading.txt", "")
    mended = run_command(app.server, "restart-app", app.group, "--wait")
    assert mended.returncode == 0, mended.stderr
