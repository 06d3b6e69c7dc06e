"""PassengerMaxRequests, PassengerMemoryLimit, PassengerHardMemoryLimit, PassengerMaxRequestTime: who wears out, grows
or hangs is replaced, and nobody else notices."""

from __future__ import annotations

from collections import Counter

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Answer
from support.concurrent_clients import ConcurrentClients
from support.serving import CheckedHttpd
from support.status import wait_for_workers, workers
from support.waiting import eventually, remains_true


@pytest.fixture
def limited(apps: AppFolders) -> AppFolder:
    return apps.create("limited")


def start(httpd: CheckedHttpd, app: AppFolder, body: str) -> CheckedHttpd:
    httpd.site(document_root=app.public, body=body)
    httpd.start()
    return httpd


def held(httpd: CheckedHttpd, app: AppFolder, path: str = "/hold") -> Background[Answer]:
    """A request that stays in its worker until the gate is opened."""
    request = Background(lambda: httpd.get(path))
    app.wait_for_event("holding")
    return request


def served_by_each(load: ConcurrentClients) -> Counter[str]:
    """How many requests each worker has served, by pid."""
    return Counter(seen.answer.text for seen in list(load.answers))


@pytest.mark.deadline(400)
@pytest.mark.parametrize("method", ["smart", "direct"])
@pytest.mark.parametrize("instances", [1, 3])
def test_workers_that_wear_out_under_load_lose_no_request(
    httpd: CheckedHttpd, limited: AppFolder, method: str, instances: int
) -> None:
    body = f"PassengerMaxRequests 20\nPassengerSpawnMethod {method}\nPassengerMinInstances {instances}"
    start(httpd, limited, f"{body}\nPassengerMaxInstances {instances}")
    with ConcurrentClients(httpd, 8, ["/", "/slow"], pause=0.005) as load:
        eventually(lambda: len(load.answers) >= 400, "400 answers", 150)
        # With direct spawning a worker goes on until the next one has loaded, which may take long on a busy machine.
        eventually(lambda: len(served_by_each(load)) > 10, "workers to be replaced again and again", 150)
    assert load.failures == []
    if method == "smart":
        assert max(served_by_each(load).values()) <= 20, "with smart spawning none serves more than it may"
    eventually(lambda: len(workers(httpd)) == instances, "as many workers as before")


def test_each_worker_serves_as_many_requests_as_it_may_and_no_more(httpd: CheckedHttpd, limited: AppFolder) -> None:
    start(httpd, limited, "PassengerMaxRequests 3")
    pids = [httpd.get("/").text for _ in range(9)]
    assert [len(set(pids[first : first + 3])) for first in (0, 3, 6)] == [1, 1, 1]
    assert len(set(pids)) == 3


def test_a_worker_above_its_memory_limit_finishes_its_request_and_another_takes_its_place(
    httpd: CheckedHttpd, limited: AppFolder
) -> None:
    start(httpd, limited, "PassengerMemoryLimit 100")
    before = httpd.get("/").text
    request = held(httpd, limited, "/grow?200")
    httpd.logs.wait_for(r"JS3535: .* 2\d\d MB of memory, more than PassengerMemoryLimit 100")
    assert httpd.get("/").text != before, "the next requests go to the new worker"
    remains_true(lambda: not request.done, "the request goes on", 0.5)
    limited.open_gate("hold")
    answer = request.result()
    assert (answer.status, answer.text) == (200, before)
    after = wait_for_workers(httpd, 1)
    assert str(after[0]["pid"]) != before


def test_an_app_without_limits_may_grow(httpd: CheckedHttpd, limited: AppFolder) -> None:
    start(httpd, limited, "")
    before = httpd.get("/").text
    limited.open_gate("hold")
    assert httpd.get("/grow?200").text == before
    remains_true(lambda: httpd.get("/").text == before, "the same worker", 3.0)


def test_a_request_that_takes_too_long_is_a_504_and_only_its_worker_ends(
    httpd: CheckedHttpd, limited: AppFolder
) -> None:
    httpd.logs.expect("JS3536")
    httpd.logs.allow("JS")
    start(httpd, limited, "PassengerMaxRequestTime 1\nPassengerMinInstances 2")
    httpd.get("/")
    before = {str(worker["pid"]) for worker in wait_for_workers(httpd, 2)}
    request = held(httpd, limited)
    stuck = (limited.events / "holding").read_text()
    assert request.result().status == 504
    httpd.logs.wait_for("_wait_for_gate", "site.example.log")
    eventually(lambda: stuck not in {str(w["pid"]) for w in workers(httpd)}, "its worker ends")
    after = {str(worker["pid"]) for worker in wait_for_workers(httpd, 2)}
    assert before - after == {stuck}
    limited.open_gate("hold")
