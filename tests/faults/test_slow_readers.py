"""Long requests and slow downloads under graceful restarts, and beside other requests."""

from __future__ import annotations

import psutil
import pytest

from load.kinds import slow
from load.loaded_server import ROUNDS, LoadCheck, LoadedServer
from load.outcome import ANSWERED
from load.slow_readers import SIZE, SlowReaders
from support.status import workers
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(180 + 180 * ROUNDS)]
#: Seconds that a long request takes, and how often it meets graceful restarts.
LONG = 3.0 if ROUNDS == 1 else 30.0
LOOPS = 2 if ROUNDS == 1 else 5
#: Over HTTP/1.1 and HTTP/2. A slow client of the latter has a thread of httpd for itself.
MANY = (24, 6) if ROUNDS == 1 else (160, 40)
FEW = (3, 3)
KILOBYTE = 1024


@pytest.fixture
def served(loaded: LoadedServer) -> LoadedServer:
    """What clients do not read stays with httpd, not in the network's buffers."""
    loaded.server.add("SendBufferSize 65536")
    loaded.offer_http2()
    return loaded


def ports(loaded: LoadedServer) -> tuple[int, int]:
    return loaded.server.port, loaded.http2_port


def children(loaded: LoadedServer) -> list[psutil.Process]:
    return loaded.server.children("apache2")


def wait_for_old_children(loaded: LoadedServer, old: list[psutil.Process]) -> None:
    eventually(lambda: not [child for child in old if child.is_running()], "the end of httpd's old children")


def test_slow_downloads_come_whole_through_graceful_restarts(served: LoadedServer, check_load: LoadCheck) -> None:
    served.start()
    pids = {worker["pid"] for worker in workers(served.server)}
    old = children(served)
    with SlowReaders(ports(served), FEW, 256 * KILOBYTE, served.app.events) as slow_readers, served.load() as load:
        slow_readers.wait_until_given()
        for _ in range(4):
            served.server.graceful()
            slow_readers.wait_for_more(64 * KILOBYTE)
        assert max(len(reader.body) for reader in slow_readers.readers) < SIZE, "nobody was slow"
        outcomes = slow_readers.finish()
    check_load(load, "graceful amid slow downloads, 4 times", note=f"{len(outcomes)} downloads of 10 MB, all whole")
    assert [str(one) for one in outcomes if one.result != ANSWERED] == []
    assert pids <= {worker["pid"] for worker in workers(served.server)}
    wait_for_old_children(served, old)


def test_many_slow_readers_change_nothing_for_others(served: LoadedServer, check_load: LoadCheck) -> None:
    """They are cut at the end: at their pace they would take hours."""
    served.server.logs.allow("AH00484")  # so many come at once: for a moment all threads are busy
    served.start()
    with served.load(clients=6) as load:
        load.wait_for_more(100)
    before = check_load(load, "slow readers: before them")
    with SlowReaders(ports(served), MANY, KILOBYTE, served.app.events) as slow_readers:
        slow_readers.wait_until_given()
        with served.load(clients=6) as load:
            load.wait_for_more(200)
        beside = check_load(load, f"slow readers: beside {sum(MANY)}", note="1 KB/s, of 10 MB each")
        eventually(lambda: not any(worker["busy"] for worker in workers(served.server)), "all workers to be free")
        with served.load(clients=6) as load:
            for _ in range(2):
                served.server.graceful()
                load.wait_for_more(20)
        check_load(load, f"graceful beside {sum(MANY)} slow readers, twice")
        slow_readers.wait_for_more(KILOBYTE)
        assert not [str(one) for one in slow_readers.readers if one.is_over]
        old = children(served)
    if ROUNDS > 1:  # on a machine with nothing else to do the figures say something; elsewhere that none was late does
        assert beside.percentile(0.99) <= max(2 * before.percentile(0.99), 1000), f"before: {before}\nbeside: {beside}"
    served.server.graceful()
    wait_for_old_children(served, old)


def test_a_long_request_in_each_loop_of_graceful_restarts_is_finished(
    served: LoadedServer, check_load: LoadCheck
) -> None:
    served.start()
    pids = {worker["pid"] for worker in workers(served.server)}
    with served.load(clients=3) as load:
        for loop in range(1, LOOPS + 1):
            with served.load([slow(LONG)], clients=1, pause=0.0) as long:
                eventually(lambda among=long: len(among.running()) == 2, "a long request over each protocol")
                begun = {outcome.identity for outcome in long.running()}
                for _ in range(3):
                    served.server.graceful()
                    load.wait_for_more(3)
                still = begun & {outcome.identity for outcome in long.running()}
            note = f"{len(still)} of 2 still ran after the third"
            check_load(long, f"graceful, 3 times in each request of {LONG:g} s, loop {loop}", least=2, note=note)
    check_load(load, f"graceful in requests of {LONG:g} s: others beside them", least=10)
    assert pids <= {worker["pid"] for worker in workers(served.server)}
