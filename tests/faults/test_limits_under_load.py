"""Limits that end workers or refuse requests, threads and sticky sessions, under load: what is lost is what is said."""

from __future__ import annotations

import re
from dataclasses import replace
from statistics import median

import pytest

from fault_injectors.kills import kill
from load.generator import Load
from load.kinds import FAST, SLOW, STREAM, UPLOAD, Kind, pattern, slow
from load.loaded_server import WORKERS, LoadCheck, LoadedServer
from load.outcome import ANSWERED, Outcome, Result
from load.request_log import RequestLog
from support.background import Background
from support.status import workers
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(240)]
NO_GROWTH = f"PassengerMaxInstances {WORKERS}"
THREADS = f"{NO_GROWTH}\nPassengerConcurrencyModel thread\nPassengerThreadCount 4"
MEMORY = Kind("grow", "/grow", 0.0, lambda identity: ("&megabytes=60&keep=1", pattern(identity, 200), None))


def statuses(outcomes: list[Outcome]) -> set[str]:
    return {outcome.detail for outcome in outcomes}


def check_never_begun(loaded: LoadedServer, refused: list[Outcome]) -> None:
    """What was refused for the app is never given to it afterwards."""
    begun = RequestLog(loaded.app.events).times_begun()
    assert [str(one) for one in refused if begun[one.identity]] == []


@pytest.mark.parametrize("method", ["smart", "direct"])
def test_workers_that_are_replaced_after_so_many_requests_lose_none(
    loaded: LoadedServer, check_load: LoadCheck, method: str
) -> None:
    limit = 15
    loaded.start(f"{NO_GROWTH}\nPassengerMaxRequests {limit}\nPassengerSpawnMethod {method}")
    with loaded.load() as load:
        load.wait_for_more(400, 100)
        # Spawned directly, a worker goes on until the next has loaded, which may take long on a busy machine.
        eventually(lambda: len(RequestLog(loaded.app.events).begun) >= 8, "workers that are replaced", 100)
    begun = RequestLog(loaded.app.events).begun
    check_load(load, f"PassengerMaxRequests {limit}, {method}", note=f"{len(begun)} workers, one after the other")
    if method == "smart":
        assert max(map(len, begun.values())) <= limit


def test_a_killed_worker_with_threads_loses_the_requests_that_it_was_in(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    loaded.server.logs.allow("JS")
    loaded.start(THREADS)
    killed: list[int] = []
    with loaded.load([SLOW, STREAM, FAST, UPLOAD], clients=12) as load:
        for _ in range(3):
            load.wait_for_more(60)
            killed.append(workers(loaded.server)[0]["pid"])
            kill(killed[-1])
            eventually(lambda: len(workers(loaded.server)) >= WORKERS, "another worker in its place")
    result = check_load(load, "kill -9 of a worker with 4 threads, 3 times", failed=4 * len(killed))
    log = RequestLog(loaded.app.events)
    in_hand = {identity for pid in killed for identity in log.possibly_lost(pid, at_once=4)}
    begun = log.times_begun()
    assert [str(one) for one in result.failed if one.identity not in in_hand and begun[one.identity]] == []


def test_workers_with_threads_restart_and_wear_out_without_a_loss(loaded: LoadedServer, check_load: LoadCheck) -> None:
    loaded.start(f"{THREADS}\nPassengerMaxRequests 40")
    with loaded.load(clients=12) as load:
        load.wait_for_more(100)
        loaded.deploy("1")
        loaded.server.graceful()
        load.wait_for_more(200)
    check_load(load, "threads: restart, graceful, PassengerMaxRequests")


def test_clients_that_stick_to_a_killed_worker_are_served_by_another(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    server = loaded.server
    server.logs.allow("JS")
    loaded.start(f"{NO_GROWTH}\nPassengerStickySessions on")
    answer = server.get("/fast?id=cookie")
    cookie = (answer.header("Set-Cookie") or "").split(";")[0]
    victim = int(answer.text.split()[3])
    sticky = [replace(FAST, cookie=cookie), replace(UPLOAD, cookie=cookie)]
    with Load(server.port, loaded.app.events, sticky, clients=4) as load:
        load.wait_for_more(60)
        assert {one.pid for one in load.outcomes()} == {victim}
        kill(victim)
        eventually(lambda: [one for one in load.outcomes() if one.pid not in (0, victim)], "answers of another worker")
        load.wait_for_more(60)
    check_load(load, "kill -9 of a worker that clients stick to", failed=1)


def test_a_worker_above_its_memory_limit_finishes_its_request_and_is_replaced(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    loaded.server.logs.allow("JS")
    loaded.start(f"{NO_GROWTH}\nPassengerMemoryLimit 50")
    with loaded.load([MEMORY, FAST, FAST, STREAM], clients=6, pause=0.05) as load:
        eventually(lambda: len({one.pid for one in load.outcomes()}) > WORKERS + 2, "workers to be replaced", 100)
        load.wait_for_more(20)
    check_load(load, "PassengerMemoryLimit")


def test_workers_with_threads_that_are_worn_or_too_large_are_replaced_without_a_loss(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    limit = 60
    loaded.server.logs.allow("JS")
    loaded.start(f"{THREADS}\nPassengerMaxRequests {limit}\nPassengerMemoryLimit 50")
    # One after the other: which of the limits a worker reaches first depends on how fast the machine is.
    with loaded.load([MEMORY, FAST, STREAM, UPLOAD], clients=6, pause=0.05) as load:
        loaded.server.logs.wait_for("JS3535: .* more than PassengerMemoryLimit", seconds=100)
        load.wait_for_more(30)
    check_load(load, "threads: PassengerMemoryLimit")
    with loaded.load([FAST, STREAM, UPLOAD, FAST, SLOW], clients=12) as load:
        eventually(lambda: limit in map(len, RequestLog(loaded.app.events).begun.values()), "a worn worker", 100)
        load.wait_for_more(60)
    begun = RequestLog(loaded.app.events).begun
    check_load(load, f"threads: PassengerMaxRequests {limit}", note=f"{len(begun)} workers")
    assert max(map(len, begun.values())) <= limit


def test_a_worker_above_its_hard_memory_limit_loses_that_request_only(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    server = loaded.server
    server.logs.allow("JS")
    loaded.start(f"{NO_GROWTH}\nPassengerHardMemoryLimit 200")
    with loaded.load() as load:
        load.wait_for_more(30)
        greedy = Background(lambda: server.get("/grow?id=greedy&megabytes=4000").status)
        assert greedy.result() in (500, 502)
        load.wait_for_more(60)
    check_load(load, "PassengerHardMemoryLimit")


def test_requests_that_take_too_long_are_ended_and_no_others(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server = loaded.server
    server.logs.allow("JS|AH")
    loaded.start("PassengerMaxRequestTime 2")
    with loaded.load(clients=6) as load:
        load.wait_for_more(20)
        stuck = [Background(lambda n=n: server.get(f"/slow?id=stuck{n}&seconds=60").status) for n in range(2)]
        assert [one.result() for one in stuck] == [504, 504]
        load.wait_for_more(40)
        eventually(lambda: len(workers(server)) >= WORKERS, "workers in the place of those that were stuck")
    check_load(load, "PassengerMaxRequestTime, 2 stuck requests")
    assert re.search(r'File ".*passenger_wsgi.py", line \d+ in slow', server.logs.text("site.example.log"))


def test_requests_that_have_waited_too_long_are_refused_and_never_run(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    loaded.server.logs.allow("JS|AH")
    loaded.start(f"{NO_GROWTH}\nPassengerMaxRequestQueueTime 1")
    with loaded.load([slow(0.8)], clients=16) as load:
        load.wait_for_more(60, 60)
    result = check_load(load, "PassengerMaxRequestQueueTime, too many requests", failed=10_000)
    assert statuses(result.failed) == {"status 504"}, str(result)
    check_never_begun(loaded, result.failed)


def test_requests_for_which_the_queue_has_no_room_are_refused_at_once_and_never_run(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    loaded.server.logs.allow("JS|AH")
    loaded.start(f"{NO_GROWTH}\nPassengerMaxRequestQueueSize 4")
    with loaded.load([slow(0.3), FAST, STREAM], clients=24) as load:
        load.wait_for_more(400, 60)
    result: Result = check_load(load, "PassengerMaxRequestQueueSize, too many requests", failed=10_000)
    assert statuses(result.failed) == {"status 503"}, str(result)
    refused, answered = (median(one.seconds for one in some) for some in (result.failed, result.of(ANSWERED)))
    assert refused < answered, "at once: who is refused has not waited for his turn, as the others have"
    check_never_begun(loaded, result.failed)
