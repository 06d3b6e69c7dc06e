"""A worker that was forked for a cancelled start: it may end by itself, and is killed if it does not."""

from __future__ import annotations

import asyncio
import os
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from spawner.errors import PeerError
from spawner.processes.stray_processes import StrayWorkers
from spawner.system import linux


def preloader(process_id: int) -> Any:
    return SimpleNamespace(process_id=process_id, tree=None)


def end_of(program: str, timeout: float) -> int:
    """How a stray worker ends that has so many seconds; its pidfd is closed then."""

    async def test() -> int:
        loop = asyncio.get_running_loop()
        with subprocess.Popen(["sh", "-c", program], stdin=subprocess.PIPE) as child:
            pidfd = linux.open_pidfd(child.pid)
            assert pidfd is not None
            StrayWorkers(loop, timeout).add(preloader(1), child.pid, pidfd)
            assert child.stdin is not None
            child.stdin.close()
            while os.path.exists(f"/proc/self/fd/{pidfd}"):
                await asyncio.sleep(0.01)
            return child.wait()

    return asyncio.run(asyncio.wait_for(test(), 20))


def test_one_that_ends_by_itself_is_not_killed() -> None:
    assert end_of("read line; exit 7", 60) == 7


def test_one_that_does_not_end_is_killed() -> None:
    assert end_of("sleep 60", 0.05) == -9


def test_one_that_has_ended_is_not_signalled_later_when_another_process_may_have_its_pid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signalled: list[int] = []
    monkeypatch.setattr(linux, "signal_process", lambda pid, pidfd, number: signalled.append(pid))

    async def test() -> None:
        with subprocess.Popen(["true"]) as child:
            before = len(os.listdir("/proc/self/fd"))
            pidfd = linux.open_pidfd(child.pid)
            assert pidfd is not None
            strays = StrayWorkers(asyncio.get_running_loop(), 0.5)
            strays.add(preloader(1), child.pid, pidfd)
            while len(os.listdir("/proc/self/fd")) > before:
                await asyncio.sleep(0.001)
            assert [one for one in asyncio.get_running_loop()._scheduled if not one.cancelled()] == []  # type: ignore[attr-defined]

    asyncio.run(test())
    assert signalled == []


def test_one_that_is_reported_again_and_again_costs_one_descriptor() -> None:
    async def test() -> None:
        strays = StrayWorkers(asyncio.get_running_loop(), 60)
        with subprocess.Popen(["sleep", "60"]) as child:
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(20):
                pidfd = linux.open_pidfd(child.pid)
                assert pidfd is not None
                strays.add(preloader(1), child.pid, pidfd)
            assert len(os.listdir("/proc/self/fd")) == before + 1
            child.kill()
            while len(os.listdir("/proc/self/fd")) > before:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(test(), 20))


def test_a_preloader_that_forks_more_than_any_needs_is_reported_and_another_one_is_not() -> None:
    async def test() -> None:
        strays = StrayWorkers(asyncio.get_running_loop(), 60)
        children = [subprocess.Popen(["sleep", "60"]) for _ in range(66)]
        before = len(os.listdir("/proc/self/fd"))
        pidfds = [linux.open_pidfd(child.pid) for child in children]
        for child, pidfd in zip(children[:64], pidfds):
            strays.add(preloader(1), child.pid, pidfd or -1)
        with pytest.raises(PeerError, match="65 forked workers that nobody waits for"):
            strays.add(preloader(1), children[64].pid, pidfds[64] or -1)
        strays.add(preloader(2), children[65].pid, pidfds[65] or -1)
        for child in children:
            child.kill()
            child.wait()
        while len(os.listdir("/proc/self/fd")) > before:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(test(), 20))
