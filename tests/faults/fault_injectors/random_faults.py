"""Injects one fault after the other into a server under load, at random moments."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from typing import Any, Callable

import psutil

from fault_injectors.group_status import GroupStatus, ask
from fault_injectors.kills import kill, kill_app_process
from load.loaded_server import WORKERS, LoadedServer
from support.waiting import eventually

#: Seconds between two faults; often none.
PAUSES = (0.0, 0.0, 0.01, 0.05, 0.1, 0.2, 0.4)
BROKEN = ("raise", "syntax", "exit", "nameless")
#: Spawners killed in a row before they have opened: after more of them httpd waits so long that requests would be late.
MOST_UNOPENED = 2


class RandomFaults:
    """Whatever the timing, only requests that a killed worker was serving may fail.

    For that, one worker of the app always continues to serve. A worker is killed or detached only if the spawner has
    said that another worker of the same generation serves that this object has not killed or detached: the spawner
    itself retires a worker only when a newer one serves. A process that is starting is killed only if the spawner has
    just reported it, and then no worker is killed until the spawner knows of it: with no worker left, a start that
    fails is an answer 500 for all requests that wait. A release that does not load is deployed only while nothing
    else happens, and is repaired before anything else is done.
    With `wild`, none of these rules holds.
    """

    def __init__(self, loaded: LoadedServer, seed: int, wild: bool = False) -> None:
        self.loaded, self.server, self.app = loaded, loaded.server, loaded.app
        self.random = random.Random(seed)
        self.wild = wild
        self.killed: list[int] = []  # workers
        self.history: list[str] = []
        self.release = 0
        self.may_not_load = wild  # whether the last release may have failed to load because of a kill
        self._began = time.monotonic()
        self._removed: set[int] = set()  # killed or detached
        self._failing: set[int] = set()  # killed while they started
        self._killed_unopened: list[int] = []
        self._last: GroupStatus | None = None

    def run_for(self, seconds: float) -> None:
        """Inject faults for so many seconds, or a little longer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.random.choice(PAUSES))
            self._do_one(self._faults())

    def repair(self) -> None:
        """Deploy a release that loads, and remove always_restart.txt."""
        self.app.restart_file.with_name("always_restart.txt").unlink(missing_ok=True)
        self._write_release("")

    # The faults

    def _faults(self) -> list[Callable[[], str]]:
        often = [self.kill_worker, self.touch]
        sometimes = [self.kill_starting_worker, self.kill_preloader, self.kill_spawner, self.stop_spawner, self.detach]
        seldom = [self.switch_always_restart] if self.wild else [self.kill_spawner_during_restart]
        return [*6 * often, *3 * sometimes, *2 * [self.graceful], *seldom, self.deploy_broken_release]

    def _do_one(self, faults: list[Callable[[], str]]) -> None:
        fault = self.random.choice(faults)
        moment = time.monotonic() - self._began
        text = fault()
        if text:
            self.history.append(f"{moment:7.2f} {text}")

    def kill_worker(self) -> str:
        victim = self._victim()
        if victim and kill_app_process(victim, self.app.root):
            self.killed.append(victim)
            return f"kill worker {victim}"
        return ""

    def detach(self) -> str:
        victim = self._victim()
        answer = ask(self.server, command="detach_process", pid=victim) if victim else {}
        return f"detach {victim}: {answer or 'no answer'}" if victim else ""

    def kill_starting_worker(self) -> str:
        """A worker that does not serve yet."""
        status = self._status(fresh=True)
        starting = [one["pid"] for one in status.workers("starting", "booting", "loading", "ready")] if status else []
        return self._kill_unfinished("worker that starts", starting, status)

    def kill_preloader(self) -> str:
        status = self._status(fresh=True)
        return self._kill_unfinished("preloader", [one["pid"] for one in status.preloaders()] if status else [], status)

    def _kill_unfinished(self, what: str, pids: list[int], status: GroupStatus | None) -> str:
        pids = [pid for pid in pids if pid]
        if not pids or (not self.wild and len(self._free(status)) < 2):
            return ""
        victim = self.random.choice(pids)
        if not kill_app_process(victim, self.app.root):
            return ""
        self.may_not_load = True
        self._failing.add(victim)
        self._removed.add(victim)
        self.killed.append(victim)  # it may have become a worker that serves
        return f"kill {what} {victim}"

    def kill_spawner(self) -> str:
        pid = self._spawner()
        self._status(fresh=True)
        if not pid or len(self._killed_unopened) >= MOST_UNOPENED:
            return ""
        self._killed_unopened.append(pid)
        with contextlib.suppress(ProcessLookupError):  # httpd may end one that does not listen to it
            kill(pid)
        return f"kill spawner {pid}"

    def stop_spawner(self) -> str:
        """Stop it for a moment, as on a machine that swaps."""
        pid = self._spawner()
        if not pid:
            return ""
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGSTOP)
            time.sleep(self.random.uniform(0.05, 0.5))
            kill(pid, signal.SIGCONT)
        return f"stop spawner {pid} for a moment"

    def graceful(self) -> str:
        self.server.graceful()
        return "graceful"

    def switch_always_restart(self) -> str:
        file = self.app.restart_file.with_name("always_restart.txt")
        if file.exists():
            file.unlink()
            return "always_restart.txt goes"
        file.touch()
        return "always_restart.txt comes"

    def touch(self) -> str:
        return self._write_release("")

    def kill_spawner_during_restart(self) -> str:
        """Kill the spawner during a restart: the next spawner completes it."""
        text = self._write_release("")
        time.sleep(self.random.uniform(0.0, 0.4))
        text += f", {self.kill_spawner() or 'no spawner'}"
        self.wait_until_settled()
        return text

    def deploy_broken_release(self) -> str:
        """Deploy something that does not load; inject other faults; deploy a release that loads."""
        if self.wild:
            return self._write_release(self.random.choice(BROKEN))
        status = self._status(fresh=True)
        if status is None or not status.is_settled or len(self._free(status)) < WORKERS or self._failing:
            return ""
        self.history.append(f"{time.monotonic() - self._began:7.2f} " + self._write_release(self.random.choice(BROKEN)))
        for _ in range(self.random.randrange(5)):
            time.sleep(self.random.choice(PAUSES))
            faults = [
                self.kill_worker,
                self.kill_preloader,
                self.kill_starting_worker,
                self.kill_spawner,
                self.graceful,
            ]
            self._do_one([*faults, self.stop_spawner, self.detach])
        text = self._write_release("")
        self.wait_until_settled()
        return text + " repairs it"

    def wait_until_settled(self, seconds: float = 100) -> None:
        """Wait until the release that was written last serves, and no other."""
        eventually(self._has_settled, self._describe, seconds)

    def _has_settled(self) -> bool:
        """The request comes first: it starts an app that has no process."""
        answer = self.server.get("/fast?id=release")
        if answer.status != 200 or answer.text.split()[2] != str(self.release):
            return False
        status = GroupStatus.take(self.server)
        return status is not None and status.is_settled and len(status.workers("serving")) >= WORKERS

    def _describe(self) -> str:
        status = GroupStatus.take(self.server)
        faults = "\n".join(self.history[-40:])
        return (
            f"release {self.release} to serve: {status and status.group}\n{faults}\n{self.server.logs.text()[-4000:]}"
        )

    def _write_release(self, loading: str) -> str:
        self.release += 1
        self.may_not_load = self.wild
        self.app.write("loading.txt", loading)
        self.app.write("release.txt", str(self.release))
        self.app.touch_restart()
        return f"release {self.release} {loading or 'good'}"

    # Which processes may be killed

    def _victim(self) -> int:
        """A worker that serves and is not the last one; 0: none."""
        status = self._status()
        if self.wild:
            free = [one["pid"] for one in status.workers("serving")] if status else []
        else:
            free = self._free(status)
        if not free or (not self.wild and (len(free) < 2 or self._failing)):
            return 0
        victim = self.random.choice(free)
        self._removed.add(victim)
        return victim

    def _free(self, status: GroupStatus | None) -> list[int]:
        """Workers of the newest generation that serve, except those that were killed or detached."""
        serving: list[dict[str, Any]] = status.workers("serving") if status else []
        newest = max((one["generation"] for one in serving), default=0)
        return [one["pid"] for one in serving if one["generation"] == newest and one["pid"] not in self._removed]

    def _status(self, fresh: bool = False) -> GroupStatus | None:
        """What the spawner says; while no spawner answers, the last answer."""
        status = GroupStatus.take(self.server)
        if status is not None:
            self._last = status
            self._failing &= status.pids
            self._removed &= status.pids
            if status.spawner not in self._killed_unopened:
                self._killed_unopened = []
        return status if fresh else self._last

    def _spawner(self) -> int:
        """The process, whether it answers or not; 0 while there is none but one that was killed."""
        children = [child for child in psutil.Process(self.server.pid).children() if _is_spawner(child)]
        return next((child.pid for child in children if child.pid not in self._killed_unopened), 0)


def _is_spawner(process: psutil.Process) -> bool:
    try:
        return bool(process.name() == "jumpseat" and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
