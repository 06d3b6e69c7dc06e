"""Deploys under load: touches, long requests, switched links, releases that do not load, kills amid a restart."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from load.burden import GLOBALS, ROUNDS, SITE, WORKERS, Burdened, Judge
from load.census import Census
from load.generator import Load
from load.kinds import CHUNKED_UPLOAD, FAST, LARGE, STREAM, UPLOAD, slow
from load.outcome import Result
from machine.kills import kill
from support.applications import AppFolder
from support.deployment import Deployment
from support.serving import CheckedHttpd
from support.status import group, run_command
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


def test_touches_under_load_lose_nothing_and_bring_one_more_worker_at_most(burdened: Burdened, judge: Judge) -> None:
    burdened.offer_http2()
    burdened.start(NO_GROWTH)
    with burdened.load(STEADY, clients=6, pause=0.03) as load:
        load.wait_for_more(60 * (5 if ROUNDS > 1 else 3))
    before = judge(load, "touches: before them")
    completed: list[tuple[float, int]] = []
    with Census(burdened.server.spawner_pid) as census:
        with burdened.load(STEADY, clients=6, pause=0.03) as load:
            for number in range(1, TOUCHES + 1):
                completed.append((burdened.deploy(str(number)), number))
            load.wait_for_more(20)
    note = f"at most {census.most_workers} workers, {census.most_preloaders} preloaders, in {census.looks} looks"
    result = judge(load, f"touches: {TOUCHES}", note=note)
    check_releases(result, completed)
    assert WORKERS <= census.most_workers <= WORKERS + 1, note
    assert census.most_preloaders == 2, note
    if ROUNDS > 1:  # so many, on a machine with nothing else to do, that the figures say something
        assert result.percentile(0.99) <= 2 * before.percentile(0.99), f"before: {before}\nwhile touched: {result}"


def test_touches_that_come_faster_than_restarts_end_with_the_last(burdened: Burdened, judge: Judge) -> None:
    burdened.start(NO_GROWTH)
    with burdened.load(STEADY, clients=6) as load:
        for number in range(1, 20):
            burdened.app.write("release.txt", str(number))
            burdened.app.touch_restart()
            load.wait_for_more(3)
        moment = burdened.wait_for_release("19")
        load.wait_for_more(20)
    check_releases(judge(load, "touches amid restarts: 19"), [(moment, 19)])


@pytest.mark.parametrize(("seconds", "more"), [(0.4, 1), (4.0, WORKERS)])
def test_a_restart_while_every_worker_is_in_a_long_request_finishes_them(
    burdened: Burdened, judge: Judge, seconds: float, more: int
) -> None:
    """Retired workers count for two seconds in all; a restart does not wait longer for requests that take very long."""
    burdened.start(NO_GROWTH)
    case = f"restart amid requests of {seconds} s"
    with Census(burdened.server.spawner_pid) as census:
        with burdened.load([slow(seconds)], clients=WORKERS, pause=0.0) as long, burdened.load([FAST], 2) as load:
            eventually(lambda: len(long.running()) == WORKERS, "a long request in every worker")
            burdened.app.write("release.txt", "1")
            burdened.app.touch_restart()
            eventually(lambda: "1" in [one.release for one in load.outcomes()], "an answer of the new release")
            moment = burdened.wait_for_release("1")
            load.wait_for_more(3)
    note = f"at most {census.most_workers} workers"
    judge(long, f"{case}: those", least=3, note=note)
    result = judge(load, f"{case}: others", least=3, late=50, note="they wait for a worker, as without a restart")
    check_releases(result, [(moment, 1)])
    assert WORKERS < census.most_workers <= WORKERS + more, note


def test_releases_behind_a_link_are_switched_and_pruned_without_a_loss(httpd: CheckedHttpd, judge: Judge) -> None:
    deployment = Deployment(httpd, "ledger")
    first = make_release(deployment, 1)
    deployment.switch(first)
    events = httpd.folder / "ledger"
    events.mkdir()
    events.chmod(0o777)
    httpd.add(GLOBALS)
    httpd.site(document_root=deployment.current / "public", body=f'{SITE}\nSetEnv LEDGER_FOLDER "{events}"')
    httpd.start()
    burdened = Burdened(httpd, first)
    assert burdened.answering_release() == "1"
    completed: list[tuple[float, int]] = []
    with Load(httpd.port, events) as load:
        for number in range(2, 7):
            app = make_release(deployment, number)
            deployment.switch(app)
            if number % 2:
                (deployment.current / "tmp" / "restart.txt").touch()
            completed.append((burdened.wait_for_release(str(number)), number))
            if number > 2:
                shutil.rmtree(app.root.with_name(str(number - 2)))
            load.wait_for_more(20)
    check_releases(judge(load, "links switched, old releases pruned: 5"), completed)


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
    burdened: Burdened, judge: Judge, how: str, reason: str
) -> None:
    server, app = burdened.server, burdened.app
    server.logs.expect("JS3513")
    server.logs.allow("JS")
    burdened.start("PassengerStartTimeout 3")
    with burdened.load() as load:
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
    result = judge(load, f"broken release: {how}")
    check_releases(result, [(moment, 2)])
    assert "1" not in result.releases


@pytest.mark.parametrize("who", ["spawner", "new preloader", "new worker"])
def test_a_kill_amid_a_restart_loses_nothing_that_was_not_in_hand(burdened: Burdened, judge: Judge, who: str) -> None:
    server, app = burdened.server, burdened.app
    server.logs.allow("JS")
    burdened.start(NO_GROWTH)
    with burdened.load(STEADY, clients=6) as load:
        load.wait_for_more(20)
        app.write("release.txt", "1")
        app.touch_restart()
        victim = eventually(lambda: find(server, who), f"the {who}")
        kill(victim)
        eventually(lambda: server.spawner_pid() != victim, "a spawner")
        load.wait_for_more(30)
        if who != "spawner":  # the release counts as one that does not load: the next touch tries it again
            app.touch_restart()
        moment = burdened.wait_for_release("1", 30)
        load.wait_for_more(20)
    result = judge(load, f"kill -9 of the {who} amid a restart", failed=1 if who == "new worker" else 0)
    check_releases(result, [(moment, 1)])


def find(server: CheckedHttpd, who: str) -> int:
    found = group(server)["processes"]
    newest = [process for process in found if process["generation"] > 1 and process["pid"]]
    preloaders = [process["pid"] for process in newest if process["kind"] == "preloader"]
    others = [process["pid"] for process in newest if process["kind"] != "preloader"]
    if who == "spawner":
        return server.spawner_pid() if newest else 0
    return next(iter(preloaders if who == "new preloader" else others), 0)
