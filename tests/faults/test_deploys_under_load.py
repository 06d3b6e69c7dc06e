"""Deploys under load: touches, long requests, switched links, releases that do not load, kills amid a restart."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from fault_injectors.kills import kill
from load.generator import Load
from load.kinds import CHUNKED_UPLOAD, FAST, LARGE, STREAM, UPLOAD, slow
from load.loaded_server import GLOBALS, ROUNDS, SITE, WORKERS, LoadCheck, LoadedServer
from load.outcome import Result
from load.process_counter import ProcessCounter
from support.applications import AppFolder
from support.deployment import Deployment
from support.serving import CheckedHttpd
from support.status import DRAIN_SECONDS, group, run_command, seconds_of_restarts
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(90 + 180 * ROUNDS)]
TOUCHES = 10 * ROUNDS
NO_GROWTH = f"PassengerMaxInstances {WORKERS}"
#: Leaves the workers some air, so that it is the restart that shows in the times, and not the queue.
STEADY = (FAST, slow(0.005), FAST, UPLOAD, slow(0.005), LARGE, FAST, CHUNKED_UPLOAD, slow(0.005), STREAM)


def check_releases(result: Result, completed: list[tuple[float, int]]) -> None:
    """No request that was begun after a restart was complete is answered by older code."""
    for moment, release in completed:
        old = [one for one in result.of("answered") if one.begun > moment and int(one.release) < release]
        assert old == [], f"answers of older code after release {release} was complete: {[str(one) for one in old[:5]]}"


def check_most_workers(loaded: LoadedServer, most: list[int]) -> None:
    """There is one worker more at most, as long as a restart still waits for those that retire."""
    eventually(lambda: len(seconds_of_restarts(loaded.server)) == len(most), "the end of each restart")
    seconds = seconds_of_restarts(loaded.server)
    for number, took in zip(most, seconds):
        assert number <= WORKERS + (1 if took < DRAIN_SECONDS else WORKERS), list(zip(most, seconds))


def test_touches_under_load_lose_nothing_and_bring_one_more_worker_at_most(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    loaded.offer_http2()
    loaded.start(NO_GROWTH)
    with loaded.load(STEADY, clients=6, pause=0.03) as load:
        load.wait_for_more(60 * (5 if ROUNDS > 1 else 3))
    before = check_load(load, "touches: before them")
    completed: list[tuple[float, int]] = []
    moments = [time.monotonic()]
    with ProcessCounter(loaded.server.spawner_pid) as counter:
        with loaded.load(STEADY, clients=6, pause=0.03) as load:
            for number in range(1, TOUCHES + 1):
                completed.append((loaded.deploy(str(number)), number))
                moments.append(completed[-1][0])
            load.wait_for_more(20)
    most = [counter.most_workers(begin, end) for begin, end in zip(moments, moments[1:])]
    note = f"at most {max(most)} workers, {counter.most_preloaders()} preloaders, in {counter.samples} looks"
    result = check_load(load, f"touches: {TOUCHES}", note=note)
    check_releases(result, completed)
    assert WORKERS <= max(most), note
    check_most_workers(loaded, most)
    assert counter.most_preloaders() == 2, note
    if ROUNDS > 1:  # so many, on a machine with nothing else to do, that the figures say something
        assert result.percentile(0.99) <= 2 * before.percentile(0.99), f"before: {before}\nwhile touched: {result}"


def test_touches_that_come_faster_than_restarts_end_with_the_last(loaded: LoadedServer, check_load: LoadCheck) -> None:
    loaded.start(NO_GROWTH)
    with loaded.load(STEADY, clients=6) as load:
        for number in range(1, 20):
            loaded.app.write("release.txt", str(number))
            loaded.app.touch_restart()
            load.wait_for_more(3)
        moment = loaded.wait_for_release("19")
        load.wait_for_more(20)
    check_releases(check_load(load, "touches amid restarts: 19"), [(moment, 19)])


@pytest.mark.parametrize("seconds", [0.4, 4.0])
def test_a_restart_while_every_worker_is_in_a_long_request_finishes_them(
    loaded: LoadedServer, check_load: LoadCheck, seconds: float
) -> None:
    loaded.start(NO_GROWTH)
    case = f"restart amid requests of {seconds} s"
    with ProcessCounter(loaded.server.spawner_pid) as counter:
        with loaded.load([slow(seconds)], clients=WORKERS, pause=0.0) as long, loaded.load([FAST], 2) as load:
            eventually(lambda: len(long.running()) == WORKERS, "a long request in every worker")
            loaded.app.write("release.txt", "1")
            loaded.app.touch_restart()
            eventually(lambda: "1" in [one.release for one in load.outcomes()], "an answer of the new release")
            moment = loaded.wait_for_release("1")
            load.wait_for_more(3)
    note = f"at most {counter.most_workers()} workers"
    check_load(long, f"{case}: those", least=3, note=note)
    result = check_load(
        load, f"{case}: others", least=3, late=100_000, note="they wait for a worker, as without a restart"
    )
    check_releases(result, [(moment, 1)])
    assert WORKERS < counter.most_workers(), note
    check_most_workers(loaded, [counter.most_workers()])


def test_releases_behind_a_link_are_switched_and_pruned_without_a_loss(
    httpd: CheckedHttpd, check_load: LoadCheck
) -> None:
    deployment = Deployment(httpd, "request_log")
    first = make_release(deployment, 1)
    deployment.switch(first)
    events = httpd.folder / "request_log"
    events.mkdir()
    events.chmod(0o777)
    httpd.add(GLOBALS)
    httpd.site(document_root=deployment.current / "public", body=f'{SITE}\nSetEnv REQUEST_LOG_FOLDER "{events}"')
    httpd.start()
    loaded = LoadedServer(httpd, first)
    assert loaded.answering_release() == "1"
    completed: list[tuple[float, int]] = []
    with Load(httpd.port, events) as load:
        for number in range(2, 7):
            app = make_release(deployment, number)
            deployment.switch(app)
            if number % 2:
                (deployment.current / "tmp" / "restart.txt").touch()
            completed.append((loaded.wait_for_release(str(number)), number))
            if number > 2:
                shutil.rmtree(app.root.with_name(str(number - 2)))
            load.wait_for_more(20)
    check_releases(check_load(load, "links switched, old releases pruned: 5"), completed)


def make_release(deployment: Deployment, number: int) -> AppFolder:
    app = deployment.make(number)
    app.write("release.txt", str(number))
    return app


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise", "a_module_that_is_not_there"),
        ("syntax", "SyntaxError"),
        ("exit", "SystemExit|exit"),
        ("hang", "not up within"),
        ("nameless", "application"),
    ],
)
def test_a_release_that_does_not_load_loses_nothing_and_says_why(
    loaded: LoadedServer, check_load: LoadCheck, how: str, reason: str
) -> None:
    server, app = loaded.server, loaded.app
    server.logs.expect("JS3513")
    server.logs.allow("JS")
    loaded.start("PassengerStartTimeout 3")
    with loaded.load() as load:
        app.write("loading.txt", how)
        app.write("release.txt", "1")
        answer = run_command(server, "restart-app", str(app.root), "--wait")
        assert answer.returncode == 1, answer.stdout + answer.stderr
        assert any(word in answer.stdout + answer.stderr for word in reason.split("|")), answer.stdout + answer.stderr
        assert any(word in str(group(server)) for word in reason.split("|")), group(server)
        note = app.root / "tmp" / "restart.error.txt"
        eventually(note.exists, "restart.error.txt")
        assert note.owner() == app.owner or os.geteuid() != 0
        load.wait_for_more(30)
        app.write("loading.txt", "")
        app.write("release.txt", "2")
        answer = run_command(server, "restart-app", str(app.root), "--wait")
        assert answer.returncode == 0, answer.stdout + answer.stderr
        moment = time.monotonic()
        load.wait_for_more(30)
        eventually(lambda: not note.exists(), "restart.error.txt to be removed")
    result = check_load(load, f"broken release: {how}")
    check_releases(result, [(moment, 2)])
    assert "1" not in result.releases


@pytest.mark.parametrize("who", ["spawner", "new preloader", "new worker"])
def test_a_kill_amid_a_restart_loses_nothing_that_was_not_in_hand(
    loaded: LoadedServer, check_load: LoadCheck, who: str
) -> None:
    server, app = loaded.server, loaded.app
    server.logs.allow("JS")
    loaded.start(NO_GROWTH)
    with loaded.load(STEADY, clients=6) as load:
        load.wait_for_more(20)
        app.write("release.txt", "1")
        app.touch_restart()
        victim = eventually(lambda: find(server, who), f"the {who}")
        kill(victim)
        eventually(lambda: server.spawner_pid() != victim, "a spawner")
        load.wait_for_more(30)
        if who != "spawner":  # the release counts as one that does not load: the next touch tries it again
            app.touch_restart()
        moment = loaded.wait_for_release("1", 30)
        load.wait_for_more(20)
    result = check_load(load, f"kill -9 of the {who} amid a restart", failed=1 if who == "new worker" else 0)
    check_releases(result, [(moment, 1)])


def find(server: CheckedHttpd, who: str) -> int:
    found = group(server)["processes"]
    newest = [process for process in found if process["generation"] > 1 and process["pid"]]
    preloaders = [process["pid"] for process in newest if process["kind"] == "preloader"]
    others = [process["pid"] for process in newest if process["kind"] != "preloader"]
    if who == "spawner":
        return server.spawner_pid() if newest else 0
    return next(iter(preloaders if who == "new preloader" else others), 0)
