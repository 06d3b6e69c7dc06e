"""Kills, deploys, graceful restarts and more at random moments under load; then everything must work as before.

FAULT_SEED repeats a run as far as the machine's timing allows; the verdict holds for every timing.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from fault_injectors.group_status import GroupStatus, ask
from fault_injectors.random_faults import RandomFaults
from load.kinds import SLOW
from load.loaded_server import ROUNDS, LoadCheck, LoadedServer
from load.outcome import Outcome, Result
from load.request_log import RequestLog
from support.descriptors import open_descriptors
from support.memory import resident
from support.waiting import eventually

SECONDS = 6.0 if ROUNDS == 1 else 12.0 * ROUNDS
pytestmark = [pytest.mark.load, pytest.mark.deadline(300 + SECONDS)]
#: Without one in the environment: always the same for `make faults`, another one each time for `make soak`.
SEED = int(os.environ.get("FAULT_SEED") or (1 if ROUNDS == 1 else random.SystemRandom().randrange(1 << 32)))
#: What the site has, by chance, and how many requests a worker is in at most.
SITES = {
    "": 1,
    "PassengerStickySessions on": 1,
    "PassengerConcurrencyModel thread\nPassengerThreadCount 4": 4,
}
#: With these, workers go that the spawner has not replaced yet: not for the case that leaves one.
MORE_SITES = (
    "PassengerMaxRequests 20",
    "PassengerSpawnMethod direct",
    "PassengerSpawnMethod direct\nPassengerMaxRequests 20",
)
#: Control line, output pipe and pidfd: what the spawner holds for each process of an app.
DESCRIPTORS_OF_A_PROCESS = 3
#: Bytes by which the memory of a spawner may differ from that of another one that has the same to do.
MEMORY_NOISE = 8 << 20
#: What none but a defect of the spawner says.
DEFECT = r"defect|IllegalTransition|InternalError|AssertionError"


class FinalCheck:
    """Made of a server that is in order; `check` says that it is so again."""

    def __init__(self, loaded: LoadedServer, faults: RandomFaults) -> None:
        self.loaded, self.server, self.faults = loaded, loaded.server, faults
        self._descriptors = self._own_descriptors()
        self._memory = resident(self.server.spawner_pid())

    def check(self) -> str:
        """Status, restart, growth and detach work; nothing is stray, or leaked. Returns a note for the report."""
        if not self.faults.may_not_load:  # no further touch is needed
            self.faults.wait_until_settled()
        self.faults.repair()
        self.faults.wait_until_settled()
        eventually(self._all_are_known, "the end of every process that the spawner does not know")
        eventually(lambda: self._own_descriptors() <= self._descriptors, self._leaked)
        grown = resident(self.server.spawner_pid()) - self._memory
        assert grown < MEMORY_NOISE, f"the spawner's memory has grown by {grown} bytes"
        self._check_growth()
        self._check_detach()
        assert self.server.logs.count(DEFECT) == 0, self.server.logs.text()
        return f"spawner's memory {grown / 1024:+.0f} KiB"

    def _own_descriptors(self) -> int:
        """Those that the spawner holds beside the ones for processes."""
        held = sum(open_descriptors(self.server.spawner_pid()).values())
        return held - DESCRIPTORS_OF_A_PROCESS * len(self._status().pids)

    def _status(self) -> GroupStatus:
        view = GroupStatus.take(self.server)
        assert view is not None, "the spawner does not answer"
        return view

    def _leaked(self) -> str:
        held = open_descriptors(self.server.spawner_pid())
        return f"{self._descriptors} descriptors beside those of processes; {self._own_descriptors()}: {held}"

    def _all_are_known(self) -> bool:
        return {process.pid for process in self.server.app_processes()} == self._status().pids

    def _check_growth(self) -> None:
        """However many workers it has by now: a larger pool takes more."""
        before = len(self._status().workers("serving"))
        self.server.add(f"PassengerMaxPoolSize {before + 1}")
        self.server.graceful()
        with self.loaded.load([SLOW], clients=16) as load:
            eventually(lambda: len(self._status().workers("serving")) > before, "growth under load")
        assert load.result().failed == []

    def _check_detach(self) -> None:
        pid = self._status().workers("serving")[0]["pid"]
        assert ask(self.server, command="detach_process", pid=pid).get("ok"), pid
        eventually(lambda: pid not in self._status().pids, f"the end of {pid}")


def begin(loaded: LoadedServer, site: str, wild: bool) -> tuple[RandomFaults, FinalCheck]:
    """Start the server; it is in order when this returns."""
    loaded.server.logs.allow("JS|AH")
    loaded.start(site)
    faults = RandomFaults(loaded, SEED, wild)
    faults.touch()
    faults.wait_until_settled()
    return faults, FinalCheck(loaded, faults)


def tell(faults: RandomFaults, site: str, note: str) -> str:
    """Print what has been done, where the test fails; returns a note for the report."""
    print(f"FAULT_SEED={SEED}", site, *faults.history, sep="\n")
    words = " ".join(site.split()) or "one request at a time"
    return f"seed {SEED}, {words}: {len(faults.history)} faults, {len(faults.killed)} workers killed; {note}"


def test_random_faults_lose_what_killed_workers_had_in_hand(loaded: LoadedServer, check_load: LoadCheck) -> None:
    site = random.Random(SEED).choice(list(SITES))
    faults, final_check = begin(loaded, site, wild=False)
    with loaded.load(sticky="Sticky" in site) as load:
        faults.run_for(SECONDS)
        note = final_check.check()
    note, killed, at_once = tell(faults, site, note), faults.killed, SITES[site]
    result = check_load(load, "random faults", failed=at_once * len(killed), late=100_000, note=note, least=10)
    check_lost(loaded, result, killed, at_once)


def check_lost(loaded: LoadedServer, result: Result, killed: list[int], at_once: int) -> None:
    """What has failed was in the hands of a worker that was killed, or no worker has begun it."""
    log = RequestLog(loaded.app.events)
    in_hand = {identity for pid in killed for identity in log.possibly_lost(pid, at_once)}
    begun = {identity: pid for pid, identities in log.begun.items() for identity in identities}
    wrong = [one for one in result.failed if one.identity not in in_hand and one.identity in begun]
    logs = [line for path in loaded.server.logs.folder.glob("*.log") for line in path.read_text().splitlines()]
    lost = [
        "\n".join(
            [f"{one}, {one.kind.path}, begun by {begun[one.identity]}", *lines_about(one, begun[one.identity], logs)]
        )
        for one in wrong
    ]
    assert not lost, "lost, though nobody killed its worker:\n" + "\n".join(lost)


def lines_about(outcome: Outcome, pid: int, logs: list[str]) -> list[str]:
    """Lines of the logs that name the worker, or come from httpd, which gives the answer, at the time of the end."""
    ended = time.time() - time.monotonic() + outcome.ended
    moments = {time.strftime("%H:%M:%S", time.localtime(ended - back)) for back in (0.0, 0.5)}
    return [line for line in logs if str(pid) in line or ("JS2" in line and any(one in line for one in moments))]


def test_after_whatever_happens_everything_works_again(loaded: LoadedServer, check_load: LoadCheck) -> None:
    """Also with the last worker killed while nothing starts: then requests fail, but none is left without an answer."""
    site = random.Random(SEED).choice([*SITES, *MORE_SITES])
    faults, final_check = begin(loaded, site, wild=True)
    with loaded.load(sticky="Sticky" in site) as load:
        faults.run_for(SECONDS)
    note = tell(faults, site, final_check.check())
    result = check_load(load, "random faults without bounds", failed=1_000_000, late=100_000, note=note, least=1)
    silent = [str(one) for one in result.failed if "imeout" in one.detail or "without an answer" in one.detail]
    assert silent == []
