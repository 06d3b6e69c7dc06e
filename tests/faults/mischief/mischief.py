"""Does one thing after the other to a server under load, at random moments."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from typing import Any, Callable

import psutil

from load.burden import WORKERS, Burdened
from machine.kills import kill, kill_app_process
from mischief.view import View, ask
from support.waiting import eventually

#: Seconds between two deeds; often none.
PAUSES = (0.0, 0.0, 0.01, 0.05, 0.1, 0.2, 0.4)
BROKEN = ("raise", "syntax", "exit", "nameless")
#: Spawners killed in a row before they have opened: after more of them httpd waits so long that requests would be late.
MOST_UNOPENED = 2


class Mischief:
    """Whatever the timing, no request may fail but those that killed workers were in.

    For that it leaves the app one worker that serves. A worker is killed or detached only where the spawner has said
    that another one serves that is as new and that this has not taken: a worker goes by the spawner's order only when
    a newer one serves. What is coming up is killed only if the spawner has just said so, and no worker until the
    spawner knows of it: with the last worker gone, a start that fails is an answer 500 for all who wait. A release
    that does not load comes when all is quiet, and is mended before anything else.
    With `wild` all of that is left aside.
    """

    def __init__(self, burdened: Burdened, seed: int, wild: bool = False) -> None:
        self.burdened, self.server, self.app = burdened, burdened.server, burdened.app
        self.chance = random.Random(seed)
        self.wild = wild
        self.killed: list[int] = []  # workers
        self.history: list[str] = []
        self.release = 0
        self.spoiled = wild  # whether the release that was written last may have been kept from loading
        self._began = time.monotonic()
        self._taken: set[int] = set()  # killed or told to go
        self._failing: set[int] = set()  # killed while they came up
        self._unopened: list[int] = []
        self._last: View | None = None

    def go_on(self, seconds: float) -> None:
        """Do things for so long, or a little longer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.chance.choice(PAUSES))
            self._do_one(self._deeds())

    def mend(self) -> None:
        """Leave a release on the disk that loads, and no restart file that says otherwise."""
        self.app.restart_file.with_name("always_restart.txt").unlink(missing_ok=True)
        self._write_release("")

    # What is done

    def _deeds(self) -> list[Callable[[], str]]:
        often = [self.kill_worker, self.touch]
        sometimes = [self.kill_coming, self.kill_preloader, self.kill_spawner, self.stop_spawner, self.detach]
        seldom = [self.switch_always_restart] if self.wild else [self.hand_over]
        return [*6 * often, *3 * sometimes, *2 * [self.graceful], *seldom, self.break_release]

    def _do_one(self, deeds: list[Callable[[], str]]) -> None:
        deed = self.chance.choice(deeds)
        moment = time.monotonic() - self._began
        told = deed()
        if told:
            self.history.append(f"{moment:7.2f} {told}")

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

    def kill_coming(self) -> str:
        """A worker that does not serve yet."""
        view = self._look(fresh=True)
        coming = [one["pid"] for one in view.workers("starting", "booting", "loading", "ready")] if view else []
        return self._kill_unfinished("worker that comes up", coming, view)

    def kill_preloader(self) -> str:
        view = self._look(fresh=True)
        return self._kill_unfinished("preloader", [one["pid"] for one in view.preloaders()] if view else [], view)

    def _kill_unfinished(self, what: str, pids: list[int], view: View | None) -> str:
        pids = [pid for pid in pids if pid]
        if not pids or (not self.wild and len(self._free(view)) < 2):
            return ""
        victim = self.chance.choice(pids)
        if not kill_app_process(victim, self.app.root):
            return ""
        self.spoiled = True
        self._failing.add(victim)
        self._taken.add(victim)
        self.killed.append(victim)  # it may have become a worker that serves
        return f"kill {what} {victim}"

    def kill_spawner(self) -> str:
        pid = self._spawner()
        self._look(fresh=True)
        if not pid or len(self._unopened) >= MOST_UNOPENED:
            return ""
        self._unopened.append(pid)
        with contextlib.suppress(ProcessLookupError):  # httpd may end one that does not listen to it
            kill(pid)
        return f"kill spawner {pid}"

    def stop_spawner(self) -> str:
        """It does nothing for a moment, as on a machine that swaps."""
        pid = self._spawner()
        if not pid:
            return ""
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGSTOP)
            time.sleep(self.chance.uniform(0.05, 0.5))
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

    def hand_over(self) -> str:
        """Kill the spawner amid a restart: the next one completes it."""
        told = self._write_release("")
        time.sleep(self.chance.uniform(0.0, 0.4))
        told += f", {self.kill_spawner() or 'no spawner'}"
        self.settle()
        return told

    def break_release(self) -> str:
        """Deploy something that does not load; go on with other deeds; mend it."""
        if self.wild:
            return self._write_release(self.chance.choice(BROKEN))
        view = self._look(fresh=True)
        if view is None or not view.is_settled or len(self._free(view)) < WORKERS or self._failing:
            return ""
        self.history.append(f"{time.monotonic() - self._began:7.2f} " + self._write_release(self.chance.choice(BROKEN)))
        for _ in range(self.chance.randrange(5)):
            time.sleep(self.chance.choice(PAUSES))
            deeds = [self.kill_worker, self.kill_preloader, self.kill_coming, self.kill_spawner, self.graceful]
            self._do_one([*deeds, self.stop_spawner, self.detach])
        told = self._write_release("")
        self.settle()
        return told + " mends it"

    def settle(self, seconds: float = 100) -> None:
        """Wait until the release that was written last serves, and no other."""
        eventually(self._has_settled, self._how_it_stands, seconds)

    def _has_settled(self) -> bool:
        """The request comes first: it starts an app that has no process."""
        answer = self.server.get("/fast?id=release")
        if answer.status != 200 or answer.text.split()[2] != str(self.release):
            return False
        view = View.take(self.server)
        return view is not None and view.is_settled and len(view.workers("serving")) >= WORKERS

    def _how_it_stands(self) -> str:
        view = View.take(self.server)
        deeds = "\n".join(self.history[-40:])
        return f"release {self.release} to serve: {view and view.group}\n{deeds}\n{self.server.logs.text()[-4000:]}"

    def _write_release(self, loading: str) -> str:
        self.release += 1
        self.spoiled = self.wild
        self.app.write("loading.txt", loading)
        self.app.write("release.txt", str(self.release))
        self.app.touch_restart()
        return f"release {self.release} {loading or 'good'}"

    # What may be taken

    def _victim(self) -> int:
        """A worker that serves and can be done without; 0: none."""
        view = self._look()
        if self.wild:
            free = [one["pid"] for one in view.workers("serving")] if view else []
        else:
            free = self._free(view)
        if not free or (not self.wild and (len(free) < 2 or self._failing)):
            return 0
        victim = self.chance.choice(free)
        self._taken.add(victim)
        return victim

    def _free(self, view: View | None) -> list[int]:
        """Workers of the newest generation that serve, but those that were taken."""
        serving: list[dict[str, Any]] = view.workers("serving") if view else []
        newest = max((one["generation"] for one in serving), default=0)
        return [one["pid"] for one in serving if one["generation"] == newest and one["pid"] not in self._taken]

    def _look(self, fresh: bool = False) -> View | None:
        """What the spawner says; while none answers, what it has said last."""
        view = View.take(self.server)
        if view is not None:
            self._last = view
            self._failing &= view.pids
            self._taken &= view.pids
            if view.spawner not in self._unopened:
                self._unopened = []
        return view if fresh else self._last

    def _spawner(self) -> int:
        """The process, whether it answers or not; 0 while there is none but one that was killed."""
        children = [child for child in psutil.Process(self.server.pid).children() if _is_spawner(child)]
        return next((child.pid for child in children if child.pid not in self._unopened), 0)


def _is_spawner(process: psutil.Process) -> bool:
    try:
        return bool(process.name() == "jumpseat" and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
