"""Children that have ended: each status is kept for who asks for it, and not for ever."""

from __future__ import annotations

import subprocess
import time

from spawner.processes.reaper import Reaper


def ended(*command: str) -> int:
    """The pid of a child that is to be waited for by the reaper alone."""
    process = subprocess.Popen(command)
    process.returncode = 0  # nobody else waits for it
    return process.pid


def test_a_status_is_told_once() -> None:
    reaper, statuses = Reaper(), []
    pid = ended("sh", "-c", "exit 7")
    deadline = time.monotonic() + 20
    while not statuses and time.monotonic() < deadline:
        reaper.collect()
        status = reaper.pop_status(pid)
        statuses += [] if status is None else [status]
    assert statuses == [7 << 8]
    assert reaper.pop_status(pid) is None


def test_whoever_watches_a_child_is_told_and_its_status_is_kept_for_nobody_else() -> None:
    reaper, told = Reaper(), []
    pid = ended("true")
    reaper.watch(pid, told.append)
    deadline = time.monotonic() + 20
    while not told and time.monotonic() < deadline:
        reaper.collect()
    assert told == [0]
    assert reaper.pop_status(pid) is None


def test_statuses_that_nobody_asks_for_are_kept_up_to_a_bound_the_newest() -> None:
    reaper = Reaper()
    for pid in range(1, 2000):
        reaper.add_status(pid, 0)
    reaper.add_status(1000, 9)  # the pid is another process's by now
    kept = [pid for pid in range(1, 2000) if reaper.pop_status(pid) is not None]
    assert len(kept) == 1024
    assert kept == sorted({1000, *range(976, 2000)})
