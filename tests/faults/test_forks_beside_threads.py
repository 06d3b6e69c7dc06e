"""Workers forked again and again of an app whose import has started threads: none hangs, and the way out works."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from load.kinds import USE
from load.loaded_server import ROUNDS, WORKERS, LoadCheck, LoadedServer
from support.status import group
from support.waiting import eventually

SOURCES = Path(__file__).parent / "misbehaving_apps"
#: 1,000 with `make soak`.
FORKS = 100 * ROUNDS
IMPORTS = 6
pytestmark = [pytest.mark.load, pytest.mark.deadline(240 + 120 * ROUNDS)]


@pytest.fixture
def threaded(loaded: LoadedServer) -> LoadedServer:
    """The app request_log with threads, a pool of threads and OpenMP at import."""
    library = loaded.app.root / "openmp.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-fopenmp", "-o", str(library), str(SOURCES / "openmp.c")]
    subprocess.run(command, check=True)
    loaded.app.write("at_import.py", (SOURCES / "at_import.py").read_bytes())
    return loaded


def start(threaded: LoadedServer, method: str, limit: int) -> None:
    """The threads talk a lot: the app has a log of its own."""
    limits = f"PassengerMaxInstances {WORKERS}\nPassengerMaxRequests {limit}\nPassengerSpawnMethod {method}"
    threaded.start(f'{limits}\nPassengerAppLogFile "{threaded.app.events}/app.log"')


def test_no_fork_of_an_app_with_threads_hangs(threaded: LoadedServer, check_load: LoadCheck) -> None:
    """Each worker serves one request, in which it takes every lock that a thread may have held at the fork."""
    threaded.server.logs.allow("JS3011")
    threaded.server.logs.expect("JS3011: .*thread 'talk', .* started during the import at .*/at_import.py:[0-9]+")
    start(threaded, "smart", 1)
    with threaded.load([USE], clients=4) as load:
        load.wait_for_more(FORKS, 120 * ROUNDS)
    pids = {one.pid for one in load.outcomes()}
    check_load(load, f"forks beside threads: {len(pids)}", note="a worker for each request")
    assert len(pids) >= FORKS
    assert len([line for line in group(threaded.server)["warnings"] if "at_import.py" in line]) > 2


def test_an_app_whose_threads_are_needed_has_them_with_direct_spawning(
    threaded: LoadedServer, check_load: LoadCheck
) -> None:
    start(threaded, "direct", 4)
    with threaded.load([USE], clients=4) as load:
        eventually(lambda: len({one.pid for one in load.outcomes()}) >= IMPORTS, f"{IMPORTS} imports", 120)
    pids = {one.pid for one in load.outcomes()}
    check_load(load, f"imports beside threads: {len(pids)}", note="PassengerSpawnMethod direct")
    assert group(threaded.server)["warnings"] == []
