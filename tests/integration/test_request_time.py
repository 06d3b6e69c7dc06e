"""PassengerMaxRequestTime: a client waits no longer for its answer than the limit, and is never shown half of one."""

from __future__ import annotations

import http.client
import re
import time

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Wire
from support.paths import path
from support.serving import CheckedHttpd
from support.waiting import eventually

LOG = "site.example.log"
LATE = "JS2131"
GRACE = 10.0
STREAM = """\
    import os, time

    FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events")

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"the beginning"
        while not os.path.exists(os.path.join(FOLDER, "gate-end")):
            time.sleep(0.01)
        yield b" and the end"
    """


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.site(document_root=probe.public, body="PassengerMaxInstances 2\nPassengerMaxRequestTime 1")
    httpd.logs.allow("JS3")
    httpd.start()
    assert httpd.get("/").status == 200
    return httpd


def test_an_answer_that_does_not_come_in_time_is_a_504(server: CheckedHttpd, probe: AppFolder) -> None:
    server.logs.expect(LATE)
    begun = time.monotonic()
    answer = server.get(path("/hold", gate="never", name="stuck"))
    waited = time.monotonic() - begun
    assert (answer.status, answer.header("Cache-Control")) == (504, "no-store")
    assert 1.0 <= waited < 1.0 + GRACE
    found = re.search("<code>([0-9a-f]{8})</code>", answer.text)
    assert found is not None
    line = server.logs.wait_for(f"{LATE}: .*error id {found.group(1)}", LOG)
    assert "longer than 1 s" in line
    assert f"answered 504 (app {probe.root} (production), GET /hold" in line


def test_the_connection_and_the_app_go_on_after_it(server: CheckedHttpd) -> None:
    server.logs.expect(LATE)
    with server.client() as client:
        client.get("/")
        port = client.local_port
        assert client.get(path("/hold", gate="never", name="stuck")).status == 504
        assert client.get("/pid").status == 200
        assert client.local_port == port


def test_an_answer_that_has_begun_is_cut_and_never_completed(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.logs.allow("JS3")
    httpd.logs.expect(LATE)
    app = apps.create(name="stream", entry=STREAM)
    httpd.site(document_root=app.public, body="PassengerMaxRequestTime 1")
    httpd.start()
    with Wire(httpd.port) as wire:
        wire.head("GET / HTTP/1.1")
        answer = wire.open_answer()
        assert (answer.status, answer.read1()) == (200, b"the beginning")
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
        assert wire.read_to_end() == b""
    assert "the response is cut" in httpd.logs.wait_for(LATE, LOG)


def test_the_time_in_the_queue_does_not_count(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public, body="PassengerMaxInstances 1\nPassengerMaxRequestTime 6")
    httpd.start()
    first = Background(lambda: httpd.get(path("/hold", gate="first", name="first")))
    probe.wait_for_event("holding-first")
    second = Background(lambda: httpd.get(path("/hold", gate="second", name="second")))
    time.sleep(3.2)
    probe.open_gate("first")
    probe.wait_for_event("holding-second")
    time.sleep(3.2)
    probe.open_gate("second")
    assert (first.result().status, second.result().status) == (200, 200)


@pytest.mark.parametrize(("upload", "status"), [("on", 200), ("off", 504)])
def test_a_slow_upload_counts_only_when_it_is_streamed(
    httpd: CheckedHttpd, probe: AppFolder, upload: str, status: int
) -> None:
    httpd.logs.allow(f"JS3|{LATE}")
    httpd.site(document_root=probe.public, body=f"PassengerMaxRequestTime 1\nPassengerBufferUpload {upload}")
    httpd.start()
    assert httpd.get("/").status == 200
    with Wire(httpd.port) as wire:
        wire.head("POST /echo HTTP/1.1", "Content-Length: 10")
        wire.send(b"slow ")
        time.sleep(2.0)
        if upload == "on":
            wire.send(b"going")
        answer = wire.answer("POST")
    assert answer.status == status


def test_a_worker_that_is_over_time_is_replaced(server: CheckedHttpd) -> None:
    server.logs.expect(LATE)
    before = server.get("/pid").text
    assert server.get(path("/hold", gate="never", name="stuck")).status == 504
    stuck = {process.pid for process in server.app_processes()}
    eventually(
        lambda: server.get("/pid").text != before or len({p.pid for p in server.app_processes()} - stuck) > 0,
        "another worker in its place",
    )
    eventually(lambda: int(before) not in {process.pid for process in server.app_processes()}, "its end")
