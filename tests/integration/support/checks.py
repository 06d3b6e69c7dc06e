"""What is checked after every test: logs, processes, descriptors, files. Each function returns complaints."""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path
from typing import Callable, Counter

from support.descriptors import growth, open_descriptors
from support.httpd import Httpd
from support.sanitizers import take_reports
from support.waiting import eventually

#: Descriptors that the spawner may hold for each live app process (control line, output pipe, pidfd, a pipe in
#: passing) and for each app group (listener, scoreboard, log, watches).
PER_PROCESS, PER_GROUP = 4, 6
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGSYS}

CONFIGURED = "configuration 1 is in force"


@functools.lru_cache(maxsize=None)
def idle_spawner_descriptors(product: str) -> Counter[str]:
    """The descriptors, by kind, of a spawner that has its configuration and no app: what every spawner may hold."""
    server = Httpd(product)
    try:
        server.start()
        server.logs.wait_for(CONFIGURED)
        found = open_descriptors(server.spawner_pid(), ignored_folder=str(server.logs.folder))
        server.stop()
        return found
    finally:
        server.clean_up()


class Checks:
    """The checks of one started server. Take it right after `start`: it remembers what the parent holds then."""

    #: Seconds in which what is closing has to be closed; a deadline, which only a leak makes use of.
    timeout = 10.0

    def __init__(self, server: Httpd) -> None:
        self.server = server
        self.deliberate_crashes = 0
        self.remember_descriptors()

    def remember_descriptors(self) -> None:
        """From here on is growth a leak. Called again by tests that change the configuration."""
        self._parent = self._parent_descriptors()

    def _parent_descriptors(self) -> Counter[str]:
        return open_descriptors(self.server.pid)

    def _spawner_descriptors(self, pid: int) -> Counter[str]:
        """Without the logs, which come from httpd after the spawner's start, one for each ErrorLog."""
        return open_descriptors(pid, ignored_folder=str(self.server.logs.folder))

    def between_tests(self) -> list[str]:
        """For a server that serves several tests."""
        self.server.logs.wait_for_expected(self.timeout)
        found = [*self.server.logs.complaints(), *self._grown(), *self._crashes(), *take_reports(self.server.reports)]
        self.server.logs.forget_expectations()
        return found

    def final(self) -> list[str]:
        """Stop the server and say all that is wrong with it or with what it leaves."""
        found = self._grown()
        found += [f"stray process: {line}" for line in self.server.stop()]
        found += [
            f"left in {folder.name}/: {path.relative_to(folder)}"
            for folder in self._folders()
            for path in sorted(folder.rglob("*"))
        ]
        return found + self.server.logs.complaints() + self._crashes() + take_reports(self.server.reports)

    def _folders(self) -> list[Path]:
        return [self.server.run_folder, self.server.folder / "buffer"]

    def _grown(self) -> list[str]:
        process = self.server.process
        if process is None or not process.running:
            return []
        parent = self._settled_growth("httpd's parent", self._parent_descriptors, self._parent, lambda: 0)
        return parent + self._spawner_growth()

    def _spawner_growth(self) -> list[str]:
        if not self.server.configuration.product:
            return []
        pid, idle = self.server.spawner_pid(), idle_spawner_descriptors(self.server.configuration.product)
        return self._settled_growth("the spawner", lambda: self._spawner_descriptors(pid), idle, self._allowed)

    def _allowed(self) -> int:
        """How many descriptors the spawner may hold for its apps, as they are now: some may just be starting."""
        groups = len(list((self.server.instance_folder() / "apps").glob("*.sock")))
        return PER_PROCESS * len(self.server.app_processes()) + PER_GROUP * groups

    def _settled_growth(
        self, who: str, count: Callable[[], Counter[str]], before: Counter[str], allowed: Callable[[], int]
    ) -> list[str]:
        """Growth that stays (a connection may just be closing)."""
        try:
            eventually(lambda: not growth(before, count(), allowed()), "descriptors to be closed", self.timeout)
        except AssertionError:
            return [f"{who} holds more descriptors: {line}" for line in growth(before, count(), allowed())]
        return []

    def _crashes(self) -> list[str]:
        """Orphans that subreaper.py has reaped, and httpd itself, that a crash has ended."""
        ended = dict(self.server.ended)
        crashed = [
            f"process {pid} was ended by {signal.Signals(os.WTERMSIG(status)).name}"
            for pid, status in ended.items()
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) in CRASHES
        ]
        return crashed[self.deliberate_crashes :]
