"""A command started through subreaper.py: the command, its descendants, and how each orphan ended."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import Mapping, Sequence

import psutil

from support.waiting import TIMEOUT, eventually

SUBREAPER = Path(__file__).with_name("subreaper.py")


class SupervisedProcess:
    """One command that runs below subreaper.py. `ended`: the wait status by pid, of the command and of all orphans."""

    def __init__(self, command: Sequence[str], user: str, environment: Mapping[str, str], output: Path) -> None:
        with open(output, "ab") as stream:
            self._subreaper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUBREAPER), user or "-", *command],
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
        assert self._subreaper.stdout is not None
        word, pid = self._subreaper.stdout.readline().split()
        assert word == b"started"
        return int(pid)

    def _read_ends(self) -> None:
        assert self._subreaper.stdout is not None
        for line in self._subreaper.stdout:
            _, pid, status = line.split()
            self.ended[int(pid)] = int(status)

    @property
    def running(self) -> bool:
        """Does the command itself run? (Its descendants may live longer.)"""
        return self.pid not in self.ended and self._subreaper.poll() is None

    def descendants(self) -> list[psutil.Process]:
        """All live processes that the command has started, itself included."""
        if self._subreaper.poll() is not None:
            return []
        try:
            found = psutil.Process(self._subreaper.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [process for process in found if _is_alive(process)]

    def all_have_ended(self) -> bool:
        return self._subreaper.poll() is not None

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
        assert self._subreaper.stdin is not None
        assert self._subreaper.stdout is not None
        with contextlib.ExitStack() as stack:  # each of them, whatever goes wrong with another
            stack.callback(self._subreaper.stdout.close)
            stack.callback(self._reader.join, TIMEOUT)
            stack.callback(self._subreaper.wait, TIMEOUT)
            stack.callback(self._subreaper.stdin.close)


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
