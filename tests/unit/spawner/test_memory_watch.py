"""The memory of limited workers: what it is, and that the spawner goes on when the kernel does not answer."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from spawner.logs.line_sink import LineSink
from spawner.logs.log import Log
from spawner.machine.linux import Identity
from spawner.options import AppOptions
from spawner.processes.users import own_identity
from spawner.watching.memory_watch import MemoryWatch, memory_of
from tests.unit.spawner.loops import until

MEGABYTE = 1_048_576
NOBODY = Identity("nobody", 65534, 65534, (65534,), "/", "/bin/sh")


def test_a_process_has_about_what_it_has_filled() -> None:
    program = "x = b'x' * (64 << 20); print('up', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        size = memory_of(process.pid, own_identity())
        process.kill()
    assert size is not None
    assert 64 * MEGABYTE < size < 100 * MEGABYTE


def test_of_a_process_that_has_gone_nothing_is_known() -> None:
    assert memory_of(2**22 + 1, own_identity()) is None


if os.geteuid() == 0:

    def test_root_sees_the_memory_of_another_user_s_process() -> None:
        with subprocess.Popen(["sleep", "100"], user=NOBODY.uid, group=NOBODY.gid, extra_groups=[]) as process:
            assert memory_of(process.pid, NOBODY)
            process.kill()


@dataclass
class Worker:
    process_id: int
    pid: int
    serving: bool = True
    identity: Identity = NOBODY


@dataclass
class Registered:
    options: AppOptions


@dataclass
class Group:
    key: str
    registration: Registered
    members: list[Worker]

    def workers(self) -> list[Worker]:
        return self.members


@dataclass
class Pool:
    groups: dict[str, Group]

    def sample_memory(self, key: str, sizes: dict[int, int]) -> None:
        """Named only; what is fed is noted by the test."""


@dataclass
class World:
    pool: Pool
    processes: dict[int, Worker]
    log: Log = field(default_factory=Log)


def watch(
    folder: Path, read: Callable[[int, Identity], Optional[int]], limit: int, done: Callable[[list[Any]], bool]
) -> str:
    """Watch two workers until enough was fed; gives the log."""
    workers = [Worker(1, 101), Worker(2, 102)]
    group = Group("app", Registered(AppOptions(memory_limit=limit)), workers)
    world = World(Pool({"app": group}), {worker.process_id: worker for worker in workers})
    world.log = Log(LineSink.open(str(folder / "log")))
    fed: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        watch = MemoryWatch(loop, world, lambda _, *what: fed.append(what), 0.02)  # type: ignore[arg-type]
        watch.read = read
        watch.wake()
        await until(lambda: done(fed), "what is to be fed")
        watch.close()

    asyncio.run(main())
    world.log.close()
    return (folder / "log").read_text()


def test_each_worker_s_memory_is_fed(tmp_path: Path) -> None:
    watch(tmp_path, lambda pid, _: pid * 1000, 5, lambda fed: fed[:1] == [("app", {1: 101_000, 2: 102_000})])


def test_apps_without_a_limit_are_not_looked_at(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    watch(tmp_path, lambda pid, _: pid, 0, lambda fed: fed == [])
    assert set(threading.enumerate()) <= threads


def test_a_worker_that_the_kernel_does_not_answer_for_keeps_no_other_from_being_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def read(pid: int, _: Identity) -> Optional[int]:
        if pid == 101:
            released.wait(20)
        return pid

    monkeypatch.setattr("spawner.watching.memory_watch._PATIENCE", 0.1)
    log = watch(tmp_path, read, 5, lambda fed: ("app", {2: 102}) in fed)
    released.set()
    assert log.count("JS3111: app: the kernel does not say how much memory process 101 has") == 1
