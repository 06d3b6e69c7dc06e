"""The CPU time and memory of processes, from /proc."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from typing import Callable, Optional

import pytest

from spawner.admin import process_usage
from spawner.admin.process_usage import ProcessUsage, UsageReader, read_usage
from spawner.admin.server_commands import children_of
from spawner.system.linux import Identity
from spawner.watching.memory_reader import MemoryReader, MemorySizes, read_memory_sizes


def read_usages(
    *pids: int, times: int = 1, read: Callable[..., Optional[MemorySizes]] = read_memory_sizes
) -> UsageReader:
    """Read processes, once or several times."""

    async def main() -> UsageReader:
        reader = MemoryReader(asyncio.get_running_loop(), read)
        kept = UsageReader(reader, dict)
        for _ in range(times):
            await kept.read(pids)
        reader.close()
        return kept

    return asyncio.run(main())


def test_a_process_has_a_parent_a_name_and_sizes_that_fit_each_other() -> None:
    usage = read_usages(os.getpid()).usage_of(os.getpid())
    assert usage is not None
    assert (usage.pid, usage.ppid) == (os.getpid(), os.getppid())
    assert usage.uss is not None
    assert usage.pss is not None
    assert 0 < usage.uss <= usage.pss <= usage.rss * 1.1 < usage.virtual
    assert usage.cpu_percent > 0


def test_a_process_that_has_ended_has_none() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert read_usage(process.pid) is None


def test_what_was_just_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    def read(pid: int) -> None:
        reads.append(pid)

    monkeypatch.setattr(process_usage, "read_usage", read)
    read_usages(5, 0, 6, times=3)
    assert reads == [5, 6]


def test_the_loop_has_its_turn_between_two_processes() -> None:
    turns: list[str] = []

    async def main() -> None:
        reader = MemoryReader(asyncio.get_running_loop())
        kept = UsageReader(reader, dict)

        async def other() -> None:
            for _ in range(3):
                turns.append("turn")
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        await kept.read([os.getpid(), os.getppid(), 1])
        assert turns == ["turn"] * 3
        reader.close()
        await task

    asyncio.run(main())


def test_what_the_kernel_does_not_tell_in_time_is_not_known_and_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_usage, "_TIMEOUT", 5.0)  # for the rest, whose reader a busy machine may hold up
    released = threading.Event()

    def read(pid: int, _: Optional[Identity]) -> Optional[MemorySizes]:
        if pid == os.getppid():
            released.wait(20)
        return read_memory_sizes(pid)

    kept = read_usages(os.getpid(), os.getppid(), read=read)
    released.set()
    held, other = kept.usage_of(os.getppid()), kept.usage_of(os.getpid())
    assert isinstance(held, ProcessUsage)
    assert held.rss > 0
    assert (held.pss, held.uss, held.swap) == (None, None, None)
    assert other is not None
    assert other.pss is not None


def test_whom_a_process_runs_as_is_given_to_whoever_reads() -> None:
    given: list[object] = []
    nobody = Identity("nobody", 65534, 65534, (65534,), "/", "/bin/sh")

    def read(pid: int, identity: Optional[Identity]) -> Optional[MemorySizes]:
        given.append(identity)
        return None

    async def main() -> None:
        reader = MemoryReader(asyncio.get_running_loop(), read)
        await UsageReader(reader, lambda: {os.getpid(): nobody}).read([os.getpid(), os.getppid()])
        reader.close()

    asyncio.run(main())
    assert given == [nobody, None]


def test_children_are_told_by_the_kernel() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert process.pid in children_of(os.getpid())
        finally:
            process.kill()
    assert children_of(process.pid) == []
