"""The tests' side of keeper.py: a started command, its descendants, and how each orphan ended."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import Mapping, Sequence

import psutil

from support.waiting import PATIENCE, eventually

KEEPER = Path(__file__).with_name("keeper.py")


class KeptProcess:
    """One command run under a keeper. `ended` maps a pid to its wait status, for the command and all orphans."""

    def __init__(self, command: Sequence[str], user: str, environment: Mapping[str, str], output: Path) -> None:
        with open(output, "ab") as stream:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(KEEPER), user or "-", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=dict(environment),
                cwd="/",
            )
        self.ended: dict[int, int] = {}
        self.pid = self._read_pid()
        self._reader = threading.Thread(target=self._read_ends, daemon=True)
        self._reader.start()

    def _read_pid(self) -> int:
        assert self._keeper.stdout is not None
        word, pid = self._keeper.stdout.readline().split()
        assert word == b"started"
        return int(pid)

    def _read_ends(self) -> None:
        assert self._keeper.stdout is not None
        for line in self._keeper.stdout:
            _, pid, status = line.split()
            self.ended[int(pid)] = int(status)

    @property
    def running(self) -> bool:
        """Does the command itself run? (Its descendants may live longer.)"""
        return self.pid not in self.ended and self._keeper.poll() is None

    def descendants(self) -> list[psutil.Process]:
        """All live processes that the command has started, itself included."""
        if self._keeper.poll() is not None:
            return []
        try:
            found = psutil.Process(self._keeper.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [process for process in found if _is_alive(process)]

    def all_have_ended(self) -> bool:
        return self._keeper.poll() is not None

    def send(self, number: int) -> None:
        """Send the command a signal, if it still runs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(self.pid).send_signal(number)

    def wait_until_all_have_ended(self, seconds: float) -> list[str]:
        """Wait for the end of everything; return one line for each process that lives on instead."""
        try:
            eventually(self.all_have_ended, "the end of all processes", seconds)
        except AssertionError:
            return [_describe(process) for process in self.descendants()]
        return []

    def kill_all(self) -> None:
        """End whatever is left. Always called last."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        with contextlib.ExitStack() as stack:  # each of them, whatever goes wrong with another
            stack.callback(self._keeper.stdout.close)
            stack.callback(self._reader.join, PATIENCE)
            stack.callback(self._keeper.wait, PATIENCE)
            stack.callback(self._keeper.stdin.close)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} (parent {process.ppid()}, user {process.username()}): {' '.join(process.cmdline())}"
    except psutil.Error:
        return str(process.pid)
