"""Workers with threads: several requests at once through httpd, and none lost when workers come and go."""

from __future__ import annotations

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Answer
from support.serving import CheckedHttpd
from support.status import wait_for_workers, workers
from support.waiting import eventually

THREADS = "PassengerConcurrencyModel thread\nPassengerThreadCount 3\nPassengerMaxInstances 1\n"
ENTRY = """
    import os
    import threading
    import time

    EVENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events")

    def application(environ, start_response):
        name = environ["QUERY_STRING"]
        if name:
            open(os.path.join(EVENTS, "in-" + name), "w").close()
            while not os.path.exists(os.path.join(EVENTS, "gate-" + name)):
                time.sleep(0.005)
        if environ["PATH_INFO"] == "/fail":
            raise RuntimeError("on purpose")
        start_response("200 OK", [("Content-Type", "text/plain")])
        told = (os.getpid(), threading.current_thread().name, environ["wsgi.multithread"])
        return [" ".join(map(str, told)).encode()]
"""


@pytest.fixture
def app(apps: AppFolders) -> AppFolder:
    return apps.create(entry=ENTRY)


def hold(server: CheckedHttpd, app: AppFolder, name: str) -> Background[Answer]:
    """Start a request that stays in the app until the gate `name` opens; return when the app is in it."""
    request = Background(lambda: server.get("/?" + name))
    app.wait_for_event("in-" + name)
    return request


def test_one_worker_serves_several_requests_at_once_each_in_its_own_thread(httpd: CheckedHttpd, app: AppFolder) -> None:
    httpd.site(document_root=app.public, body=THREADS)
    httpd.start()
    requests = [hold(httpd, app, name) for name in ("a", "b", "c")]
    for name in ("b", "a", "c"):
        app.open_gate(name)
    told = [request.result().text.split() for request in requests]
    assert len({pid for pid, _, _ in told}) == 1
    assert sorted(thread for _, thread, _ in told) == ["request-1", "request-2", "request-3"]
    assert {multithread for _, _, multithread in told} == {"True"}


def test_a_request_waits_in_the_queue_while_all_threads_are_busy(httpd: CheckedHttpd, app: AppFolder) -> None:
    httpd.site(document_root=app.public, body=THREADS)
    httpd.start()
    requests = [hold(httpd, app, name) for name in ("a", "b", "c")]
    queued = Background(lambda: httpd.get("/"))
    app.open_gate("b")
    assert requests[1].result().status == 200
    assert queued.result().status == 200
    for name in ("a", "c"):
        app.open_gate(name)
    assert [request.result().status for request in requests] == [200, 200, 200]


def test_a_request_that_fails_leaves_its_neighbours_alone(httpd: CheckedHttpd, app: AppFolder) -> None:
    httpd.site(document_root=app.public, body=THREADS)
    httpd.start()
    request = hold(httpd, app, "a")
    assert httpd.get("/fail").status == 500
    app.open_gate("a")
    assert request.result().status == 200


def test_a_restart_waits_for_all_the_requests_of_a_worker(httpd: CheckedHttpd, app: AppFolder) -> None:
    httpd.site(document_root=app.public, body=THREADS.replace("Instances 1", "Instances 2"))
    httpd.start()
    requests = [hold(httpd, app, name) for name in ("a", "b")]
    (before,) = {worker["pid"] for worker in wait_for_workers(httpd, 1)}
    app.touch_restart()
    eventually(lambda: httpd.get("/").text.split()[0] != str(before), "a new worker to serve")
    for name in ("a", "b"):
        app.open_gate(name)
    assert {request.result().text.split()[0] for request in requests} == {str(before)}
    eventually(lambda: before not in {worker["pid"] for worker in workers(httpd)}, "the old worker to end")


@pytest.mark.parametrize(("forced", "capacity"), [(2, 2), (5, 3), (0, 3), (-1, 3)])
def test_a_worker_gets_no_more_requests_than_it_is_forced_to_and_than_it_has_threads(
    httpd: CheckedHttpd, app: AppFolder, forced: int, capacity: int
) -> None:
    body = THREADS + f"PassengerForceMaxConcurrentRequestsPerProcess {forced}\n"
    httpd.site(document_root=app.public, body=body)
    httpd.start()
    requests = [hold(httpd, app, str(number)) for number in range(capacity)]
    one_more = Background(lambda: httpd.get("/?more"))
    (worker,) = wait_for_workers(httpd, 1)
    assert (worker["running"], worker["capacity"]) == (capacity, capacity)
    for name in ("more", *map(str, range(capacity))):
        app.open_gate(name)
    assert {request.result().text.split()[0] for request in [*requests, one_more]} == {str(worker["pid"])}
