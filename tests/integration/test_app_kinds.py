"""What the server does for apps, it does for apps of every kind, at the root of a virtual host and below a path."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
from typing import Iterator

import pytest

from support.app_kinds import KINDS, PLACES, SOON, Placed, place
from support.applications import AppFolders
from support.background import Background
from support.client import Answer, Wire
from support.serving import CheckedHttpd
from support.status import group
from support.waiting import eventually

BROKEN = "broken"
#: More than what the module keeps in memory, so that it goes through a file.
LARGE = bytes(range(256)) * 8192


@pytest.fixture(scope="module")
def placed(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> dict[str, Placed]:
    shared_httpd.add("PassengerMaxPoolSize 40")
    body = "PassengerMaxRequestTime 30\nSetEnv wsgi.multithread odd\nSetEnv rack.multithread odd"
    found = {
        f"{kind}-{where}": place(shared_httpd, shared_apps, kind, where, body) for kind in KINDS for where in PLACES
    }
    for kind in KINDS:
        place(shared_httpd, shared_apps, kind, BROKEN).folder.write("loading.txt", "raise")
    shared_httpd.start()
    return found


@pytest.fixture(params=[f"{kind}-{where}" for kind in KINDS for where in PLACES])
def app(request: pytest.FixtureRequest, placed: dict[str, Placed]) -> Placed:
    return placed[request.param]


@pytest.fixture(params=[f"{kind}-below" for kind in KINDS])
def one_of_a_kind(request: pytest.FixtureRequest, placed: dict[str, Placed]) -> Placed:
    return placed[request.param]


def test_requests_below_the_mount_reach_the_app_with_path_and_query(app: Placed) -> None:
    assert app.get("/").text == f"kind {app.kind}"
    assert app.get("/request/a/b?c=d&e").text == f"GET {app.mount}/request/a/b?c=d&e"
    assert app.server.request("DELETE", f"{app.mount}/request/x", app.host).text == f"DELETE {app.mount}/request/x?"


def test_files_and_cached_pages_are_served_by_apache(app: Placed) -> None:
    assert app.get("/file.txt").text == "a file"
    assert app.get("/cached").text == "a cached page"


@pytest.mark.parametrize("size", [0, 5, len(LARGE)])
def test_a_body_comes_back_as_it_was_sent(app: Placed, size: int) -> None:
    assert app.post("/echo", LARGE[:size]).body == LARGE[:size]


def test_a_chunked_body_reaches_the_app_whole(app: Placed) -> None:
    with app.server.client(app.host) as client:
        answer = client.request("POST", f"{app.mount}/digest", iter([b"one", b"two", LARGE]))
    assert answer.text == hashlib.sha256(b"onetwo" + LARGE).hexdigest()


def test_an_answer_comes_in_parts_as_the_app_sends_it(one_of_a_kind: Placed) -> None:
    app = one_of_a_kind
    with Wire(app.server.port) as wire:
        wire.head(f"GET {app.mount}/stream HTTP/1.1", host=app.host)
        response = wire.open_answer()
        assert response.readline() == b"begun\n"
        app.folder.open_gate("stream")
        assert response.read() == b"ended\n"


@pytest.mark.parametrize("path", ["/cut", "/short"])
def test_an_answer_that_the_end_of_the_process_cuts_is_never_whole(one_of_a_kind: Placed, path: str) -> None:
    app = one_of_a_kind
    app.server.logs.allow("JS")
    with contextlib.suppress(http.client.IncompleteRead, ConnectionResetError):
        assert app.get(path).status == 502
    assert app.get("/").text == f"kind {app.kind}"


def test_an_answer_to_head_has_the_length_and_no_body(app: Placed) -> None:
    answer = app.server.request("HEAD", f"{app.mount}/", app.host)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("Content-Length") == str(len(f"kind {app.kind}"))


def test_an_answer_without_content_stays_one(app: Placed) -> None:
    answer = app.get("/empty")
    assert (answer.status, answer.body, answer.header("Content-Length")) == (204, b"", None)


def test_headers_of_one_name_stay_apart(app: Placed) -> None:
    assert app.get("/cookies").all("Set-Cookie") == ["a=1", "b=2"]


def test_an_error_of_the_app_is_a_500_and_the_app_serves_on(app: Placed) -> None:
    app.server.logs.allow("JS")
    assert app.get("/fail").status == 500
    assert app.get("/").status == 200


def test_the_app_has_its_environment(app: Placed) -> None:
    assert app.get("/variable?GREETING").text == "hello"
    assert app.get("/variable?PASSENGER_APP_ENV").text == "production"
    assert app.get("/variable?PASSENGER_BASE_URI").text == app.mount


@pytest.mark.parametrize(
    ("kind", "key", "value"), [("wsgi", "wsgi.multithread", "False"), ("rack", "rack.multithread", "false")]
)
def test_what_a_loader_says_of_a_request_cannot_be_set_by_the_configuration(
    placed: dict[str, Placed], kind: str, key: str, value: str
) -> None:
    assert placed[f"{kind}-root"].get(f"/key?{key}").text == value


def test_the_app_runs_as_the_owner_of_its_files(app: Placed) -> None:
    assert app.get("/user").text == str(app.folder.root.stat().st_uid)


def test_a_process_that_is_killed_is_replaced(one_of_a_kind: Placed) -> None:
    app = one_of_a_kind
    app.server.logs.allow("JS")
    pid = app.get("/pid").text
    os.kill(int(pid), signal.SIGKILL)
    app.server.logs.wait_for(rf"JS3503: process ended unexpectedly: \w+ {pid} ")
    eventually(lambda: app.get("/pid").text not in (pid, ""), "another process", SOON)


def test_restart_txt_brings_the_next_release(one_of_a_kind: Placed) -> None:
    app = one_of_a_kind
    assert app.get("/release").text == "first"
    app.folder.write("release.txt", "second")
    app.folder.touch_restart()
    eventually(lambda: app.get("/release").text == "second", "the second release", SOON)


def test_a_release_that_does_not_load_leaves_the_old_one_serving(one_of_a_kind: Placed) -> None:
    app = one_of_a_kind
    app.server.logs.allow("JS")
    release = app.get("/release").text
    app.folder.write("loading.txt", "raise")
    app.folder.touch_restart()
    failure = eventually(lambda: group(app.server, app.group).get("failure"), "the failure in status", SOON)
    assert "the app fails on purpose" in json.dumps(failure)
    assert app.get("/release").text == release
    app.folder.write("loading.txt", "")
    app.folder.touch_restart()
    eventually(lambda: not group(app.server, app.group)["failure"], "a release that loads", SOON)


@pytest.mark.parametrize("kind", KINDS)
def test_an_app_that_does_not_load_is_a_500_with_the_reason_in_the_log(
    shared_httpd: CheckedHttpd, placed: dict[str, Placed], kind: str
) -> None:
    shared_httpd.logs.allow("JS")
    answer = shared_httpd.get("/", f"{kind}-{BROKEN}.example")
    assert answer.status == 500
    assert "the app fails on purpose" in shared_httpd.logs.text()
    assert "the app fails on purpose" not in answer.text


@pytest.fixture
def held(one_of_a_kind: Placed) -> Iterator[Background[Answer]]:
    """A request that the app is in."""
    app = one_of_a_kind
    request = Background(lambda: app.get("/hold"))
    app.folder.wait_for_event("holding")
    yield request
    app.folder.open_gate("hold")
    request.result()


def test_a_request_in_flight_is_finished_by_the_old_process_of_a_restart(
    one_of_a_kind: Placed, held: Background[Answer]
) -> None:
    app = one_of_a_kind
    app.folder.write("release.txt", "third")
    app.folder.touch_restart()
    eventually(lambda: app.get("/release").text == "third", "the third release", SOON)
    assert not held.done
    app.folder.open_gate("hold")
    assert held.result().text == f"kind {app.kind}"
    eventually(lambda: not group(app.server, app.group)["restart"], "the end of the restart", SOON)


def test_a_graceful_restart_of_apache_keeps_the_processes(placed: dict[str, Placed]) -> None:
    pids = {name: app.get("/pid").text for name, app in placed.items()}
    next(iter(placed.values())).server.graceful()
    assert {name: app.get("/pid").text for name, app in placed.items()} == pids
