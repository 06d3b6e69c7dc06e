"""What processes cost, read from /proc."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from typing import Callable, Optional

import pytest

from spawner.admin.commands import figures
from spawner.admin.commands.figures import Figure, Figures, read_figure
from spawner.admin.commands.memory import children_of
from spawner.system.linux import Identity
from spawner.system.smaps import Shares, shares_of
from spawner.watching.memory_reader import MemoryReader


def look(*pids: int, times: int = 1, read: Callable[..., Optional[Shares]] = shares_of) -> Figures:
    """Look at processes, one time after the other."""

    async def main() -> Figures:
        reader = MemoryReader(asyncio.get_running_loop(), read)
        kept = Figures(reader, dict)
        for _ in range(times):
            await kept.look(pids)
        reader.close()
        return kept

    return asyncio.run(main())


def test_a_process_has_a_parent_a_name_and_sizes_that_fit_each_other() -> None:
    figure = look(os.getpid()).of(os.getpid())
    assert figure is not None
    assert (figure.pid, figure.ppid) == (os.getpid(), os.getppid())
    assert figure.uss is not None
    assert figure.pss is not None
    assert 0 < figure.uss <= figure.pss <= figure.rss * 1.1 < figure.virtual
    assert figure.cpu_percent > 0


def test_a_process_that_has_ended_has_none() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert read_figure(process.pid) is None


def test_what_was_just_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    def read(pid: int) -> None:
        reads.append(pid)

    monkeypatch.setattr(figures, "read_figure", read)
    look(5, 0, 6, times=3)
    assert reads == [5, 6]


def test_the_loop_has_its_turn_between_two_processes() -> None:
    turns: list[str] = []

    async def main() -> None:
        reader = MemoryReader(asyncio.get_running_loop())
        kept = Figures(reader, dict)

        async def other() -> None:
            for _ in range(3):
                turns.append("turn")
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        await kept.look([os.getpid(), os.getppid(), 1])
        assert turns == ["turn"] * 3
        reader.close()
        await task

    asyncio.run(main())


def test_what_the_kernel_does_not_tell_in_time_is_not_known_and_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_PATIENCE", 5.0)  # for the rest, whose reader a busy machine may hold up
    released = threading.Event()

    def read(pid: int, _: Optional[Identity]) -> Optional[Shares]:
        if pid == os.getppid():
            released.wait(20)
        return shares_of(pid)

    kept = look(os.getpid(), os.getppid(), read=read)
    released.set()
    held, other = kept.of(os.getppid()), kept.of(os.getpid())
    assert isinstance(held, Figure)
    assert held.rss > 0
    assert (held.pss, held.uss, held.swap) == (None, None, None)
    assert other is not None
    assert other.pss is not None


def test_whom_a_process_runs_as_is_given_to_whoever_reads() -> None:
    given: list[object] = []
    nobody = Identity("nobody", 65534, 65534, (65534,), "/", "/bin/sh")

    def read(pid: int, identity: Optional[Identity]) -> Optional[Shares]:
        given.append(identity)
        return None

    async def main() -> None:
        reader = MemoryReader(asyncio.get_running_loop(), read)
        await Figures(reader, lambda: {os.getpid(): nobody}).look([os.getpid(), os.getppid()])
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
