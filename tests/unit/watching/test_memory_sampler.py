"""The memory of workers with a limit: which are sampled, and what is logged of one whose read the kernel blocks."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.options import AppOptions
from spawner.pool.registry import Registry
from spawner.system.linux import Identity
from spawner.watching import memory_sampler
from spawner.watching.memory_reader import MemoryReader, MemorySizes
from spawner.watching.memory_sampler import MemorySampler
from tests.unit.support.loops import until

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


def sample(
    folder: Path,
    read: Callable[[int, Optional[Identity]], Optional[MemorySizes]],
    limit: int,
    done: Callable[[list[Any], str], bool],
) -> None:
    """Sample two workers until the samples and the log are as expected."""
    workers = [Worker(1, 101), Worker(2, 102)]
    group = Group("app", Registered(AppOptions(memory_limit=limit)), workers)
    registry: Any = Registry()
    registry.groups.enter("app", group)
    for worker in workers:
        registry.processes.attach(worker.process_id, worker)
    log = Log(LogWriter.open(str(folder / "log")))
    samples: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader = MemoryReader(loop, read)
        sampler = MemorySampler(
            loop,
            registry,
            reader,
            0.02,
            lambda *sample: samples.append(sample),
            log,
        )
        sampler.groups_changed(["app"])
        await until(lambda: done(samples, (folder / "log").read_text()), "the samples and log lines")
        sampler.close()
        reader.close()

    asyncio.run(main())
    log.close()


def test_the_memory_of_each_worker_is_sampled(tmp_path: Path) -> None:
    expected = [("app", {1: 101_001, 2: 102_001})]
    sizes = {pid: {"Pss": pid * 1000, "SwapPss": 1, "Swap": 9} for pid in (101, 102)}
    sample(tmp_path, lambda pid, _: sizes[pid], 5, lambda found, _: found[:1] == expected)


def test_apps_without_a_limit_are_not_sampled(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    sample(tmp_path, lambda pid, _: {"Pss": pid}, 0, lambda found, _: found == [])
    assert set(threading.enumerate()) <= threads


def test_a_worker_whose_read_is_blocked_keeps_no_other_from_being_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def read(pid: int, _: Optional[Identity]) -> Optional[MemorySizes]:
        if pid == 101:
            released.wait(20)
        return {"Pss": pid}

    def done(found: list[Any], log: str) -> bool:
        lines = log.count("JS3111: the kernel does not tell the memory of process 101 of app")
        assert lines <= 1
        return lines == 1 and found.count(("app", {2: 102})) > 3

    monkeypatch.setattr(memory_sampler, "_REPORT_BLOCKED", 1.5)
    sample(tmp_path, read, 5, done)
    released.set()
