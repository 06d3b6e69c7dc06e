"""PassengerMaxRequestQueueTime: who has waited too long is told so, and the app never runs that request."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from contextlib import contextmanager
from typing import Callable, Iterator

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Answer
from support.descriptors import open_descriptors
from support.paths import path
from support.serving import CheckedHttpd
from support.waiting import eventually

LOG = "site.example.log"
LATE = "JS2130"
#: What the scheduler may add to the limit, on a busy machine.
GRACE = 10.0
#: A limit, in seconds, before which a test has done a few things.
FAR = 6
LEDGER = """\
    import os, time

    LEDGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events", "ledger")

    def application(environ, start_response):
        with open(LEDGER, "a") as ledger:
            ledger.write(environ["QUERY_STRING"] + "\\n")
        time.sleep(0.04)
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]
    """

MORTAL = """\
    import os, time

    LEDGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events", "ledger")

    def application(environ, start_response):
        name = environ["QUERY_STRING"]
        with open(LEDGER, "a") as ledger:
            ledger.write(name + "\\n")
        if name.startswith("hold-"):
            time.sleep(float(name[5:]))
        if name.startswith("die-"):
            time.sleep(0.4)
            os._exit(1)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]
    """


def warmed_up(httpd: CheckedHttpd, route: str = "/") -> CheckedHttpd:
    """Start it, and its app, which may take longer than the limit: that time counts, too."""
    httpd.logs.allow(LATE)
    httpd.start()
    eventually(lambda: httpd.get(route).status == 200, "the app to be loaded")
    return httpd


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.site(document_root=probe.public, body="PassengerMaxInstances 1\nPassengerMaxRequestQueueTime 1")
    return warmed_up(httpd)


def hold(server: CheckedHttpd, probe: AppFolder) -> Background[Answer]:
    """Keep the only worker busy until the gate `busy` is open."""
    held = Background(lambda: server.get(path("/hold", gate="busy", name="busy")))
    probe.wait_for_event("holding-busy")
    return held


def test_the_log_names_the_app_the_request_and_how_long_it_waited(server: CheckedHttpd, probe: AppFolder) -> None:
    server.logs.expect(LATE)
    held = hold(server, probe)
    answer = server.get("/hold?secret=1&gate=never&name=late", accept="application/json")
    assert answer.body.startswith(b'{"error": {"status": 504, ')
    line = server.logs.wait_for(f"{LATE}.*GET /hold", LOG)
    assert f"app {probe.root} (production), GET /hold; error id " in line
    waited = re.search(r" in (\d+\.\d+)", line)
    assert waited is not None, line
    assert 1.0 <= float(waited[1]) < 1.0 + GRACE
    assert "secret" not in line
    probe.open_gate("busy")
    assert held.result().status == 200


def test_the_connection_goes_on_after_a_504(server: CheckedHttpd, probe: AppFolder) -> None:
    server.logs.expect(LATE)
    held = hold(server, probe)
    with server.client() as client:
        assert client.request("POST", "/echo", b"x" * 300_000).status == 504
        port = client.local_port
        probe.open_gate("busy")
        assert client.request("POST", "/echo", b"again").text == "again"
        assert client.local_port == port
    assert held.result().status == 200


def test_a_request_that_was_taken_in_time_may_take_longer(server: CheckedHttpd, probe: AppFolder) -> None:
    held = hold(server, probe)
    time.sleep(1.5)  # the limit passes
    assert not held.done
    probe.open_gate("busy")
    assert held.result().status == 200


def test_an_app_that_starts_for_too_long_is_not_waited_for(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.logs.expect(LATE)
    release.write("loading.txt", "gate")
    httpd.site(document_root=release.public, body="PassengerMaxRequestQueueTime 1")
    httpd.start()
    assert httpd.get("/").status == 504
    release.open_gate("load")
    eventually(lambda: httpd.get("/").status == 200, "the app to be loaded")


@pytest.fixture
def release(apps: AppFolders) -> AppFolder:
    return apps.create("release")


def test_an_app_that_does_not_start_is_still_a_500_at_once(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.logs.allow("JS")
    broken = apps.create(name="broken", entry="raise RuntimeError('no')")
    httpd.site(document_root=broken.public, body="PassengerMaxRequestQueueTime 20")
    httpd.start()
    begun = time.monotonic()
    assert httpd.get("/").status == 500
    assert time.monotonic() - begun < 15


@contextmanager
def stopped(server: CheckedHttpd, until: Callable[[], None]) -> Iterator[None]:
    """The child of httpd does nothing within the `with` block, which it enters when `until` has returned."""
    until()
    children = [child.pid for child in server.children("apache2")]
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in children:
            os.kill(pid, signal.SIGCONT)


def sockets(server: CheckedHttpd) -> int:
    """How many sockets httpd's children hold."""
    return sum(open_descriptors(child.pid)["socket"] for child in server.children("apache2"))


def queued(server: CheckedHttpd, route: str) -> tuple[Background[Answer], Callable[[], None]]:
    """A request on its way, and what waits until it is in the app's queue: one socket to the client, one to the app."""
    before = sockets(server)
    request = Background(lambda: server.get(route))
    return request, lambda: eventually(lambda: sockets(server) >= before + 2, "the request to be queued") and None


@pytest.fixture
def slow(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    """A limit that is far enough away to stop httpd before it."""
    httpd.site(document_root=probe.public, body=f"PassengerMaxInstances 1\nPassengerMaxRequestQueueTime {FAR}")
    return warmed_up(httpd)


def test_an_answer_that_came_while_httpd_itself_was_held_up_is_passed_on(slow: CheckedHttpd, probe: AppFolder) -> None:
    held = hold(slow, probe)
    begun = time.monotonic()
    request, is_queued = queued(slow, path("/hold", gate="late", name="late"))
    probe.open_gate("late")
    with stopped(slow, is_queued):
        probe.open_gate("busy")
        probe.wait_for_event("holding-late")
        assert time.monotonic() - begun < FAR, "this machine is too slow for the test"
        time.sleep(begun + FAR + 0.2 - time.monotonic())
    assert request.result().status == 200
    assert held.result().status == 200


def test_a_worker_that_comes_too_late_does_not_run_it_although_nobody_has_given_up(
    slow: CheckedHttpd, probe: AppFolder
) -> None:
    slow.logs.expect(LATE)
    held = hold(slow, probe)
    begun = time.monotonic()
    request, is_queued = queued(slow, path("/hold", gate="never", name="late"))
    with stopped(slow, is_queued):
        time.sleep(begun + FAR + 0.2 - time.monotonic())
        probe.open_gate("busy")
        time.sleep(0.3)  # for the worker to find the request and to leave it; httpd is right either way
    assert (request.result().status, held.result().status) == (504, 200)
    assert slow.get("/pid").status == 200
    assert "holding-late" not in probe.event_names()


@pytest.mark.parametrize("upload", ["on", "off"])
def test_at_the_very_limit_each_request_is_either_run_or_refused(
    httpd: CheckedHttpd, apps: AppFolders, upload: str
) -> None:
    """One worker, many clients: every 40 ms one is taken, and those at the limit meet it within microseconds."""
    app = apps.create(name="ledger", entry=LEDGER)
    httpd.site(
        document_root=app.public,
        body=f"PassengerMaxInstances 1\nPassengerMaxRequestQueueTime 1\nPassengerBufferUpload {upload}",
    )
    warmed_up(httpd, "/?first")
    answers: dict[str, int] = {}

    def ask(number: int) -> None:
        with httpd.client() as client:
            for turn in range(4):
                name = f"{number}-{turn}"
                body = b"b" * (1000 + 200_000 * (number % 2))
                answers[name] = client.request("POST", f"/?{name}", body).status

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: httpd.get("/?last").status == 200, "the worker to have dealt with all that waited")
    ran = (app.events / "ledger").read_text().split()
    assert len(ran) == len(set(ran))
    assert set(answers.values()) == {200, 504}
    assert {name for name, status in answers.items() if status == 200} == set(ran) - {"first", "last"}


def test_a_worker_that_dies_in_a_request_about_the_queue_time_is_not_called_late(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    """Whoever is told that no worker has taken the request may send it again: so the app must not have run it."""
    app = apps.create(name="mortal", entry=MORTAL)
    httpd.logs.allow("JS3|JS2045")
    httpd.site(document_root=app.public, body="PassengerMaxInstances 1\nPassengerMaxRequestQueueTime 1")
    warmed_up(httpd)
    answers: dict[str, tuple[int, str | None]] = {}
    for wait in ("0.65", "0.75", "0.85"):
        eventually(lambda: httpd.get("/").status == 200, "a new worker")
        held = Background(lambda wait=wait: httpd.get(f"/?hold-{wait}"))
        eventually(lambda wait=wait: f"hold-{wait}" in (app.events / "ledger").read_text(), "the worker to be busy")
        answer = httpd.get(f"/?die-{wait}")
        answers[f"die-{wait}"] = (answer.status, answer.header("Retry-After"))
        assert held.result().status == 200
    ran = (app.events / "ledger").read_text().split()
    assert answers == {name: (502, None) if name in ran else (504, "1") for name in answers}
