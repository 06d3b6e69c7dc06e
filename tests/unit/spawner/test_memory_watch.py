"""The memory of limited workers: whose is fed, and what is said of one that the kernel does not answer for."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.options import AppOptions
from spawner.system.linux import Identity
from spawner.system.smaps import Shares
from spawner.watching import memory_watch
from spawner.watching.memory_reader import MemoryReader
from spawner.watching.memory_watch import MemoryWatch
from tests.unit.spawner.loops import until

NOBODY = Identity("nobody", 65534, 65534, (65534,), "/", "/bin/sh")


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
    folder: Path,
    read: Callable[[int, Optional[Identity]], Optional[Shares]],
    limit: int,
    done: Callable[[list[Any], str], bool],
) -> None:
    """Watch two workers until what was fed and logged is enough."""
    workers = [Worker(1, 101), Worker(2, 102)]
    group = Group("app", Registered(AppOptions(memory_limit=limit)), workers)
    world = World(Pool({"app": group}), {worker.process_id: worker for worker in workers})
    world.log = Log(LogWriter.open(str(folder / "log")))
    fed: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader = MemoryReader(loop, read)
        watch = MemoryWatch(loop, world, lambda _, *what: fed.append(what), reader, 0.02)  # type: ignore[arg-type]
        watch.wake()
        await until(lambda: done(fed, (folder / "log").read_text()), "what is to be fed and logged")
        watch.close()
        reader.close()

    asyncio.run(main())
    world.log.close()


def test_each_worker_s_memory_is_fed(tmp_path: Path) -> None:
    told = [("app", {1: 101_001, 2: 102_001})]
    watch(tmp_path, lambda pid, _: {"Pss": pid * 1000, "SwapPss": 1, "Swap": 9}, 5, lambda fed, _: fed[:1] == told)


def test_apps_without_a_limit_are_not_looked_at(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    watch(tmp_path, lambda pid, _: {"Pss": pid}, 0, lambda fed, _: fed == [])
    assert set(threading.enumerate()) <= threads


def test_a_worker_that_the_kernel_does_not_answer_for_keeps_no_other_from_being_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def read(pid: int, _: Optional[Identity]) -> Optional[Shares]:
        if pid == 101:
            released.wait(20)
        return {"Pss": pid}

    def done(fed: list[Any], log: str) -> bool:
        lines = log.count("JS3111: app: the kernel does not say how much memory process 101 has")
        assert lines <= 1
        return lines == 1 and fed.count(("app", {2: 102})) > 3

    monkeypatch.setattr(memory_watch, "_TELL", 1.5)
    watch(tmp_path, read, 5, done)
    released.set()
