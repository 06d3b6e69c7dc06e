"""kill -9 of each kind of process while requests come in: what is lost is what that process had in hand."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

import psutil
import pytest

from fault_injectors.kills import kill
from load.loaded_server import ROUNDS, WORKERS, LoadCheck, LoadedServer
from load.request_log import RequestLog
from support.descriptors import open_descriptors
from support.serving import CheckedHttpd
from support.status import group, preloaders, run_command, wait_for_new_spawner, wait_for_workers, workers
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(120 + 180 * ROUNDS)]


def children_of_httpd(server: CheckedHttpd) -> list[psutil.Process]:
    return server.children("apache2")


def test_a_killed_worker_loses_the_request_that_it_was_in_and_no_other(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    loaded.server.logs.allow("JS")
    loaded.offer_http2()
    loaded.start()
    killed: list[int] = []
    with loaded.load() as load:
        for _ in range(5 * ROUNDS):
            load.wait_for_more(60)
            killed.append(workers(loaded.server)[0]["pid"])
            kill(killed[-1])
            load.wait_for_more(30)
            eventually(lambda: len(workers(loaded.server)) >= WORKERS, "another worker in its place")
    result = check_load(load, f"kill -9 of a worker, {len(killed)} times", failed=len(killed))
    log = RequestLog(loaded.app.events)
    in_hand = {identity for pid in killed for identity in log.possibly_lost(pid)}
    begun = log.times_begun()
    assert [one for one in result.failed if one.identity not in in_hand and begun[one.identity]] == [], str(result)


def test_a_killed_preloader_loses_nothing_and_growth_starts_another(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    loaded.server.logs.allow("JS")
    loaded.start()
    with loaded.load() as load:
        for _ in range(3 * ROUNDS):
            load.wait_for_more(40)
            before = eventually(lambda: next((one["pid"] for one in preloaders(loaded.server)), 0), "a preloader")
            kill(before)
            victim = workers(loaded.server)[0]["pid"]
            run_command(loaded.server, "status")
            load.wait_for_more(20)
            kill(victim, signal.SIGTERM)  # it retires in order; the one in its place needs a preloader
            eventually(lambda old=before: another_preloader(loaded.server, old), "another preloader")
            eventually(lambda: len(workers(loaded.server)) >= WORKERS, "another worker")
    check_load(load, f"kill -9 of a preloader, {3 * ROUNDS} times")


def test_a_spawner_killed_again_and_again_loses_nothing(loaded: LoadedServer, check_load: LoadCheck) -> None:
    loaded.server.logs.allow("JS")
    loaded.offer_http2()
    loaded.start()
    before = {worker["pid"] for worker in workers(loaded.server)}
    times = 4 if ROUNDS == 1 else 20
    with loaded.load() as load:
        for _ in range(times):
            old = loaded.server.spawner_pid()
            kill(old)
            wait_for_new_spawner(loaded.server, old)
            load.wait_for_more(50)
    check_load(load, f"kill -9 of the spawner, {times} times")
    assert before <= {worker["pid"] for worker in workers(loaded.server)}
    assert len(loaded.server.app_processes()) <= 6 + 2


def test_a_spawner_killed_before_it_has_opened_loses_nothing(loaded: LoadedServer, check_load: LoadCheck) -> None:
    """As soon as httpd has forked another one, that one is killed, too."""
    loaded.server.logs.allow("JS")
    loaded.start()
    with loaded.load() as load:
        old = loaded.server.spawner_pid()
        for _ in range(3):
            kill(old)
            old = eventually(lambda known=old: spawner_process(loaded.server, known), "another spawner process")
        wait_for_new_spawner(loaded.server, 0)
        load.wait_for_more(50)
    check_load(load, "kill -9 of a spawner that comes up, 3 times")


def another_preloader(server: CheckedHttpd, old: int) -> bool:
    return any(process["pid"] != old for process in preloaders(server))


def spawner_process(server: CheckedHttpd, old: int) -> int:
    return next((process.pid for process in server.children("jumpseat") if process.pid != old), 0)


def test_a_spawner_killed_as_httpd_restarts_gracefully_loses_nothing(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    server = loaded.server
    server.logs.allow("JS")
    loaded.start()
    pids = {worker["pid"] for worker in workers(server)}
    without_spawner: list[tuple[float, float]] = []
    with loaded.load() as load:
        for _ in range(3):
            old, begun = server.spawner_pid(), time.monotonic()
            kill(old)
            server.graceful()
            wait_for_new_spawner(server, old)
            without_spawner.append((begun, time.monotonic()))
            load.wait_for_more(20)
    case = "kill -9 of the spawner and graceful at once, 3 times"
    result = check_load(load, case, late=100_000, note="new children of httpd wait for the new spawner")
    assert [str(one) for one in result.late if not one.overlaps(without_spawner)] == []
    assert pids <= {worker["pid"] for worker in workers(server)}
    assert len(server.children("jumpseat")) == 1


def test_an_adopted_app_is_managed_like_any_other(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server, app = loaded.server, loaded.app
    server.logs.allow("JS")
    loaded.start()
    old = server.spawner_pid()
    with loaded.load() as load:
        kill(old)
        wait_for_new_spawner(server, old)
        assert len(workers(server)) >= WORKERS
        app.write("release.txt", "1")
        app.touch_restart()
        eventually(lambda: group(server)["state"] == "serving" and server.get("/fast?id=a").text.split()[2] == "1", "1")
        load.wait_for_more(50)
    result = check_load(load, "restart.txt after kill -9 of the spawner")
    assert set(result.releases) == {"0", "1"}
    with loaded.load(clients=16) as load:
        eventually(lambda: len(workers(server)) > WORKERS, "growth under load")
        load.wait_for_more(50)
        detached = workers(server)[0]["pid"]
        answer = run_command(server, "detach-process", str(detached))
        assert answer.returncode == 0, answer.stderr
        eventually(lambda: detached not in {worker["pid"] for worker in workers(server)}, "the end of that worker")
    check_load(load, "growth and detach-process after kill -9 of the spawner")
    assert server.stop() == []


@pytest.mark.parametrize(("mpm", "times", "connections"), [("prefork", 5, 1), ("event", 2, 10)])
def test_a_killed_child_of_httpd_loses_its_connections_and_no_process_of_ours(
    loaded: LoadedServer, check_load: LoadCheck, mpm: str, times: int, connections: int
) -> None:
    server = loaded.server
    server.logs.allow("AH0005[12]|JS")
    server.configuration.mpm = mpm
    loaded.start()
    apps = {process.pid for process in server.app_processes()}
    with loaded.load() as load:
        for _ in range(times):
            load.wait_for_more(40)
            kill(children_of_httpd(server)[0].pid)
        load.wait_for_more(40)
    check_load(load, f"kill -9 of an httpd child ({mpm}), {times} times", failed=times * connections)
    assert apps <= {process.pid for process in server.app_processes()}


def test_when_httpds_parent_is_killed_everything_of_ours_ends_and_nothing_is_left(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    server = loaded.server
    server.logs.allow("JS|AH")
    loaded.start()
    ours = [psutil.Process(server.spawner_pid()), *server.app_processes()]
    children = children_of_httpd(server)
    with loaded.load() as load:
        load.wait_for_more(50)
        kill(server.pid)
        moment = time.monotonic()
        eventually(lambda: not [one for one in ours if one.is_running()], "the end of all of ours", 20)
        seconds = time.monotonic() - moment
        for child in children:  # httpd's own: they serve on until somebody ends them
            with suppress(psutil.NoSuchProcess):
                child.kill()
    loaded.wait_for_end(20)
    assert list(server.run_folder.iterdir()) == []
    check_load(load, "kill -9 of httpd's parent", failed=100_000, note=f"all of ours ended in {seconds:.1f} s")


def test_spawner_kills_leak_no_descriptor_in_httpd(loaded: LoadedServer) -> None:
    server = loaded.server
    server.logs.allow("JS")
    loaded.start()
    before = open_descriptors(server.pid)
    for _ in range(3):
        old = server.spawner_pid()
        kill(old)
        wait_for_new_spawner(server, old)
    eventually(lambda: open_descriptors(server.pid) == before, lambda: f"{before}, not {open_descriptors(server.pid)}")
    wait_for_workers(server, WORKERS)
