"""What an app asks for and what an administrator does while requests come in: nothing of it costs a request."""

from __future__ import annotations

import time

import pytest

from load.generator import Load
from load.kinds import ASK, FAST, LATE_AFTER, MIXED, SLOW, STREAM, UPLOAD
from load.loaded_server import ROUNDS, WORKERS, LoadCheck, LoadedServer
from load.outcome import ANSWERED
from load.request_log import RequestLog
from support.status import group, preloaders, run_command, wait_for_workers, workers
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(180 + 60 * ROUNDS)]
NO_GROWTH = f"PassengerMaxInstances {WORKERS}"
#: A request that waited for this to end would be late.
WORK_SECONDS = LATE_AFTER + 0.3


def test_out_of_band_work_holds_no_request_up_and_one_worker_at_a_time_does_it(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    loaded.app.write("work.txt", str(WORK_SECONDS))
    loaded.start(NO_GROWTH)
    with loaded.load([ASK, *MIXED]) as load:
        eventually(lambda: len(RequestLog(loaded.app.events).works) >= 1 + ROUNDS, "work to be done", 60 * ROUNDS)
    works = RequestLog(loaded.app.events).works
    check_load(load, "out-of-band work", note=f"done {len(works)} times, {WORK_SECONDS} s each")
    at_once = [(one, next_one) for one, next_one in zip(works, works[1:]) if next_one[0] < one[1]]
    assert at_once == []


def test_always_restart_comes_and_goes_without_a_loss(loaded: LoadedServer, check_load: LoadCheck) -> None:
    file = loaded.app.restart_file.with_name("always_restart.txt")
    loaded.start()
    spans: list[tuple[float, float]] = []
    with loaded.load([FAST, STREAM, FAST, UPLOAD], clients=4, pause=0.05) as load:
        for _ in range(2 * ROUNDS):
            load.wait_for_more(20)
            file.touch()
            eventually(lambda: group(loaded.server)["always_restart"], "the file to be seen")
            begin = time.monotonic()
            load.wait_for_more(15)
            spans.append((begin, time.monotonic()))
            file.unlink()
            eventually(lambda: not group(loaded.server)["always_restart"], "the file to be missed")
        load.wait_for_more(20)
    check_load(load, f"always_restart.txt comes and goes, {len(spans)} times")
    for begin, end in spans:
        pids = [one.pid for one in load.outcomes() if one.begun > begin and one.ended < end]
        assert len(set(pids)) == len(pids) > 5, "each request has a process of its own"


def check_routes(load: Load) -> int:
    """How often a client has changed its worker: only when that one takes nothing more at its own socket."""
    changes = 0
    shown = [one for one in load.outcomes() if one.result == ANSWERED and one.kind.cookie == one.route]
    for outcomes in load.by_client():
        answered = [one for one in outcomes if one.result == ANSWERED]
        for before, after in zip(answered, answered[1:]):
            if after.pid != before.pid:
                changes += 1
                still = [str(one) for one in shown if one.pid == before.pid and one.begun > after.ended]
                assert still == [], f"{before.pid} served on, and yet its client was sent to {after.pid}: {after}"
    return changes


def test_clients_keep_their_workers_until_a_restart_takes_these_away(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    loaded.start(f"{NO_GROWTH}\nPassengerStickySessions on")
    with loaded.load(clients=6, sticky=True) as load:
        load.wait_for_more(60)
        assert check_routes(load) == 0
        for number in range(1, 4):
            loaded.deploy(str(number))
            load.wait_for_more(20)
        loaded.server.graceful()
        load.wait_for_more(40)
    changes = check_routes(load)
    check_load(load, "sticky sessions: 3 restarts and a graceful", note=f"clients changed their worker {changes} times")
    assert changes >= 3


def test_clients_keep_their_workers_until_these_are_worn(loaded: LoadedServer, check_load: LoadCheck) -> None:
    loaded.start(f"{NO_GROWTH}\nPassengerStickySessions on\nPassengerMaxRequests 15")
    with loaded.load(clients=6, sticky=True) as load:
        load.wait_for_more(250)
    changes = check_routes(load)
    pids = {one.pid for one in load.outcomes()}
    note = f"{len(pids)} workers, clients changed theirs {changes} times"
    check_load(load, "sticky sessions: PassengerMaxRequests 15", note=note)
    assert len(pids) > 5, note


def test_processes_that_are_detached_lose_nothing(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server = loaded.server
    loaded.start(NO_GROWTH)

    def detach(pid: int) -> None:
        answer = run_command(server, "detach-process", str(pid))
        assert answer.returncode == 0, answer.stderr
        eventually(lambda: pid not in [one["pid"] for one in group(server)["processes"]], f"the end of {pid}")

    times = 3 * ROUNDS
    with loaded.load() as load:
        for _ in range(times):
            detach(workers(server)[0]["pid"])
            wait_for_workers(server, WORKERS)
        detach(preloaders(server)[0]["pid"])
        load.wait_for_more(20)
        detach(workers(server)[0]["pid"])
        wait_for_workers(server, WORKERS)
        loaded.deploy("1")
    check_load(load, f"detach-process, {times + 1} workers and a preloader")


@pytest.mark.parametrize(
    ("how", "command", "line"),
    [
        ("hang", "sleep 1000", "JS3100: hook not run because 100 others wait: "),
        ("fail", "false", "JS3104: hook failed: .*: exit status 1"),
        ("are not there", "/nowhere/hook", "JS3102: hook cannot be executed: .*/nowhere/hook"),
    ],
)
def test_nothing_waits_for_hooks(
    loaded: LoadedServer, check_load: LoadCheck, how: str, command: str, line: str
) -> None:
    """Each worker that comes or goes has its hook run; with PassengerMaxRequests that is all the time."""
    server = loaded.server
    server.logs.expect(line)
    for name in ("attached_process", "detached_process"):
        server.add(f'PassengerCtl hook_{name} "{command}"')
    loaded.start(f"{NO_GROWTH}\nPassengerMaxRequests 4")
    with loaded.load([FAST, UPLOAD, FAST, SLOW, FAST], pause=0.0) as load:
        server.logs.wait_for(line, seconds=100)
        load.wait_for_more(50)
        moment = time.monotonic()
        loaded.deploy("1")
        seconds = time.monotonic() - moment
    check_load(load, f"hooks {how}", note=f"a restart took {seconds:.1f} s")
