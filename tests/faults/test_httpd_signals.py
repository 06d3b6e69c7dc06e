"""apachectl's signals while requests come in."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from fault_injectors.kills import kill
from load.generator import Load
from load.kinds import FAST, FILE, FILE_CONTENT, SLOW, STREAM
from load.loaded_server import ROUNDS, LoadCheck, LoadedServer
from support.descriptors import open_descriptors
from support.memory import resident
from support.serving import CheckedHttpd
from support.status import workers
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(120 + 180 * ROUNDS)]
GRACEFULS = 10 if ROUNDS == 1 else 110 * ROUNDS


def test_graceful_restarts_lose_nothing_and_keep_every_worker(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server = loaded.server
    loaded.offer_http2()
    loaded.start("PassengerMaxInstances 3")
    pids = {worker["pid"] for worker in workers(server)}
    with loaded.load() as load:
        for _ in range(5):
            server.graceful()
            load.wait_for_more(10)
        held, memory = open_descriptors(server.pid), resident(server.pid)
        for _ in range(GRACEFULS):
            server.graceful()
            load.wait_for_more(3)
        grown = resident(server.pid) - memory
    check_load(load, f"graceful, {GRACEFULS + 5} times", note=f"httpd's parent: {grown / 1024:+.0f} KiB")
    assert {worker["pid"] for worker in workers(server)} == pids
    eventually(lambda: open_descriptors(server.pid) == held, lambda: f"{held}, not {open_descriptors(server.pid)}")
    assert grown < 1 << 20


def test_what_httpd_itself_does_with_a_file_at_graceful_restarts(
    plain_httpd: CheckedHttpd, check_load: LoadCheck, tmp_path: Path
) -> None:
    """The measure for the case before: connections that were closed while idle are httpd's, with or without us."""
    folder = plain_httpd.folder / "apps"
    (folder / "file.txt").write_bytes(FILE_CONTENT)
    plain_httpd.site(document_root=folder)
    plain_httpd.start()
    with Load(plain_httpd.port, tmp_path, [FILE]) as load:
        for _ in range(10):
            plain_httpd.graceful()
            load.wait_for_more(100)
    check_load(load, "graceful, 10 times, a file, without our module")


def test_a_graceful_restart_finishes_the_requests_that_it_meets(loaded: LoadedServer, check_load: LoadCheck) -> None:
    loaded.offer_http2()
    loaded.start()
    with loaded.load([SLOW, STREAM], clients=6) as load:
        for _ in range(4):
            load.wait_for_more(12)
            loaded.server.graceful()
    check_load(load, "graceful amid slow requests and streams, 4 times")


def test_a_hard_restart_cuts_what_is_under_way_and_nothing_else(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server = loaded.server
    server.logs.allow("AH|JS")
    loaded.start("PassengerMaxInstances 3")
    pids = {worker["pid"] for worker in workers(server)}
    moments: list[tuple[float, float]] = []
    with loaded.load() as load:
        for _ in range(3):
            load.wait_for_more(40)
            begun = time.monotonic()
            server.restart()
            moments.append((begun, time.monotonic()))
        load.wait_for_more(40)
    result = check_load(load, "restart, 3 times", failed=1000)
    assert [str(one) for one in result.failed if not one.overlaps(moments)] == []
    assert {worker["pid"] for worker in workers(server)} == pids


def test_a_stop_ends_everything_within_seconds(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server = loaded.server
    server.logs.allow("AH|JS")
    loaded.start()
    with loaded.load() as load:
        load.wait_for_more(80)
        moment = time.monotonic()
        kill(server.pid, signal.SIGTERM)
        loaded.wait_for_end(30)
        seconds = time.monotonic() - moment
    result = check_load(
        load, "stop", failed=100_000, note=f"all ended in {seconds:.1f} s; failed ones: under way, or after"
    )
    assert [str(one) for one in result.failed if one.ended < moment] == []
    assert seconds < 20
    assert list(server.run_folder.iterdir()) == []


def test_a_graceful_stop_finishes_what_is_under_way(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server = loaded.server
    server.logs.allow("AH|JS")
    loaded.start()
    with loaded.load([FAST, SLOW, STREAM]) as load:
        load.wait_for_more(60)
        moment = time.monotonic()
        kill(server.pid, signal.SIGWINCH)
        loaded.wait_for_end(40)
    result = check_load(load, "graceful-stop", failed=100_000, note="failed ones came after it")
    assert [str(one) for one in result.failed if one.begun < moment] == []
    assert list(server.run_folder.iterdir()) == []
