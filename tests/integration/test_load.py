"""Under load: restarts and graceful restarts lose no request and bring no old answer back."""

from __future__ import annotations

import time

import pytest

from support.applications import AppFolder, AppFolders
from support.concurrent_clients import ConcurrentClients
from support.memory import peak
from support.serving import CheckedHttpd
from support.status import group, wait_for_workers
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(400)]

MEGABYTE = 1 << 20
CLIENTS = 50


@pytest.fixture
def release(httpd: CheckedHttpd, apps: AppFolders) -> AppFolder:
    app = apps.create("release")
    app.write("release.txt", "0")
    httpd.add("PassengerMaxPoolSize 4\nMaxKeepAliveRequests 0\nKeepAliveTimeout 30")
    httpd.site(document_root=app.public, body="PassengerMinInstances 2")
    httpd.start()
    assert httpd.get("/").text == "0"
    return app


def wait_until_settled(httpd: CheckedHttpd, release: str) -> None:
    def told() -> str:
        return f"release {release}; the app says {httpd.get('/').text}; {group(httpd)}\n{httpd.logs.text()[-2000:]}"

    eventually(lambda: settled(httpd) and httpd.get("/").text == release, told)


def settled(httpd: CheckedHttpd) -> bool:
    """Is the last restart complete?"""
    told = group(httpd)
    generations = {process["generation"] for process in told["processes"]}
    return told["state"] == "serving" and generations == {told["generation"]}


def test_forty_restarts_under_load_lose_no_request_and_no_old_answer_comes_back(
    httpd: CheckedHttpd, release: AppFolder
) -> None:
    completed: list[tuple[float, int]] = []
    with ConcurrentClients(httpd, CLIENTS, ["/"], pause=0.05) as load:
        for number in range(1, 41):
            release.write("release.txt", str(number))
            release.touch_restart()
            if number % 4 == 0:
                wait_until_settled(httpd, str(number))
                eventually(lambda least=5 * number: len(load.answers) > least, "more answers")
                completed.append((time.monotonic(), number))
            else:
                time.sleep(0.03)  # a touch amid the restart that the last one has begun
    assert load.failures == []
    for moment, number in completed:
        late = [int(seen.answer.text) for seen in load.answers if seen.begun > moment]
        assert not late or min(late) >= number


def test_two_touches_within_one_second_under_load_end_with_the_second(httpd: CheckedHttpd, release: AppFolder) -> None:
    with ConcurrentClients(httpd, 10, ["/"]) as load:
        for number in (1, 2):
            release.write("release.txt", str(number))
            release.touch_restart()
        eventually(lambda: settled(httpd) and httpd.get("/").text == "2", "the second release")
    assert load.failures == []


@pytest.fixture
def busy(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.add("PassengerMaxPoolSize 4\nMaxKeepAliveRequests 0\nKeepAliveTimeout 30")
    httpd.site(document_root=probe.public, body="PassengerMinInstances 4")
    httpd.start()
    httpd.get("/")
    wait_for_workers(httpd, 4)
    return httpd


def test_fifty_graceful_restarts_under_load_lose_no_request_and_keep_the_workers(busy: CheckedHttpd) -> None:
    before = {worker["pid"] for worker in wait_for_workers(busy, 4)}
    with ConcurrentClients(
        busy, CLIENTS, ["/", "/echo", "/big?size=100000"], pause=0.05, idle_close_is_fine=True
    ) as load:
        for number in range(1, 51):
            busy.graceful()
            eventually(lambda least=4 * number: len(load.answers) > least, "more answers")
    assert load.failures == []
    assert {worker["pid"] for worker in wait_for_workers(busy, 4)} == before


def test_graceful_restarts_do_not_make_the_parent_or_the_spawner_grow(busy: CheckedHttpd) -> None:
    for _ in range(10):
        busy.graceful()
    pids = (busy.pid, busy.spawner_pid())
    before = [peak(pid) for pid in pids]
    for _ in range(40):
        busy.graceful()
    assert [peak(pid) - size < 2 * MEGABYTE for pid, size in zip(pids, before)] == [True, True]


def test_a_mixed_load_is_answered_without_a_fault(busy: CheckedHttpd) -> None:
    paths = ["/", "/echo", "/big?size=300000", "/environ", "/big?size=50000&length=1", "/pid"]
    with ConcurrentClients(busy, CLIENTS, paths, pause=0.01) as load:
        eventually(lambda: len(load.answers) > 3000, "three thousand answers", 150)
    assert load.failures == []


def test_workers_do_not_leak_descriptors_or_memory_under_load(busy: CheckedHttpd) -> None:
    from support.descriptors import growth, open_descriptors

    pids = [process.pid for process in busy.processes()]
    with ConcurrentClients(busy, 20, ["/", "/echo"], pause=0.0) as load:
        eventually(lambda: len(load.answers) > 1000, "the first thousand answers", 150)
        before = {pid: open_descriptors(pid) for pid in pids}
        eventually(lambda: len(load.answers) > 4000, "four thousand answers", 150)
    eventually(
        lambda: not [line for pid in pids for line in growth(before[pid], open_descriptors(pid), 2)],
        "no descriptor more in any process",
    )
