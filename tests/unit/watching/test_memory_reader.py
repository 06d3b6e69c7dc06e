"""Reading the memory of processes: what it is, and that nobody waits for one whose read the kernel blocks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Awaitable, Callable, Optional

import pytest

from spawner.processes.users import own_identity
from spawner.system.linux import Identity
from spawner.watching import memory_reader
from spawner.watching.memory_reader import MemoryReader, MemorySizes, read_memory_sizes

MEGABYTE = 1_048_576
TIMEOUT = 50.0  # seconds
NOBODY = Identity("nobody", 65534, 65534, (65534,), "/", "/bin/sh")


def test_a_process_has_about_what_it_has_filled() -> None:
    program = "x = b'x' * (64 << 20); print('up', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sizes = read_memory_sizes(process.pid, own_identity())
        process.kill()
    assert sizes is not None
    assert 64 * MEGABYTE < sizes["Pss"] < 100 * MEGABYTE


def test_nothing_is_known_of_a_process_that_has_ended() -> None:
    assert read_memory_sizes(2**22 + 1, own_identity()) is None


if os.geteuid() == 0:

    def test_root_sees_the_memory_of_another_user_s_process() -> None:
        with subprocess.Popen(["sleep", "100"], user=NOBODY.uid, group=NOBODY.gid, extra_groups=[]) as process:
            assert read_memory_sizes(process.pid, NOBODY)
            process.kill()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wants to wait for a second each time."""
    monkeypatch.setattr(memory_reader, "_SLOW", 0.1)


class Kernel:
    """Answers with the pid; for some processes only when released: until then the reader hangs in a system call."""

    def __init__(self, folder: Path, held: set[int]) -> None:
        self.reads: list[int] = []
        self._fifos = {pid: folder / str(pid) for pid in held}
        for path in self._fifos.values():
            os.mkfifo(path)

    def read(self, pid: int, identity: Optional[Identity]) -> Optional[MemorySizes]:
        self.reads.append(pid)
        if pid in self._fifos:
            os.close(os.open(self._fifos[pid], os.O_RDONLY))  # does not return before somebody writes
        return {"Pss": pid}

    def release(self) -> None:
        held, self._fifos = self._fifos, {}
        for path in held.values():
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # never waits, and whoever does goes on


def with_reader(kernel: Kernel, test: Callable[[MemoryReader], Awaitable[None]]) -> None:
    async def main() -> None:
        reader = MemoryReader(asyncio.get_running_loop(), kernel.read)
        try:
            await asyncio.wait_for(test(reader), TIMEOUT)
        finally:
            reader.close()
            kernel.release()

    asyncio.run(main())


def targets(*pids: int) -> list[memory_reader.Target]:
    return [(pid, None) for pid in pids]


def test_the_loop_goes_on_and_all_others_are_known_while_the_kernel_blocks_one(tmp_path: Path) -> None:
    async def test(reader: MemoryReader) -> None:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        task = asyncio.ensure_future(turn())
        found: dict[int, Optional[MemorySizes]] = {}
        while len(found) < 2:
            found.update(await reader.memory_of(targets(1, 2, 3), 0.3))
        task.cancel()
        assert found == {2: {"Pss": 2}, 3: {"Pss": 3}}
        assert turns > 1

    with_reader(Kernel(tmp_path, {1}), test)


def test_one_whose_read_is_blocked_is_not_read_again_and_not_waited_for(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, {1})

    async def test(reader: MemoryReader) -> None:
        while reader.blocked_for(1) < memory_reader._SLOW:
            assert await reader.memory_of(targets(1), 0.3) == {}
        began = time.monotonic()
        for _ in range(5):
            assert await reader.memory_of(targets(1, 2), 30.0) == {2: {"Pss": 2}}
        assert time.monotonic() - began < 30
        assert kernel.reads.count(1) == 1
        kernel.release()
        while reader.blocked_for(1):
            await asyncio.sleep(0.01)

    with_reader(kernel, test)


def test_two_who_ask_at_once_have_one_answer(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, set())

    async def test(reader: MemoryReader) -> None:
        one, two = await asyncio.gather(*[reader.memory_of(targets(1), 15.0) for _ in range(2)])
        assert one == two == {1: {"Pss": 1}}
        assert kernel.reads == [1]

    with_reader(kernel, test)


def test_no_more_threads_wait_than_are_allowed(tmp_path: Path) -> None:
    pids = range(1, 9)
    kernel = Kernel(tmp_path, set(pids))

    async def test(reader: MemoryReader) -> None:
        while len(kernel.reads) < memory_reader._MOST_THREADS:
            assert await reader.memory_of(targets(*pids), 0.1) == {}
        await asyncio.sleep(5 * memory_reader._SLOW)
        assert len(kernel.reads) == memory_reader._MOST_THREADS

    with_reader(kernel, test)
