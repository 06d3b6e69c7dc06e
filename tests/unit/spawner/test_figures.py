"""What processes cost, read from /proc."""

from __future__ import annotations

import asyncio
import os
import subprocess

import pytest

from spawner.admin.commands import figures
from spawner.admin.commands.figures import Figures, read_figure
from spawner.admin.commands.memory import children_of


def test_a_process_has_a_parent_a_name_and_sizes_that_fit_each_other() -> None:
    figure = read_figure(os.getpid())
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
    kept = Figures()
    for _ in range(3):
        asyncio.run(kept.look([5, 0, 6]))
    assert reads == [5, 6]


def test_the_loop_has_its_turn_between_two_processes() -> None:
    turns: list[str] = []

    async def main() -> None:
        kept = Figures()

        async def other() -> None:
            for _ in range(3):
                turns.append("turn")
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        await kept.look([os.getpid(), os.getppid(), 1])
        assert turns == ["turn"] * 3
        await task

    asyncio.run(main())


def test_children_are_told_by_the_kernel() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert process.pid in children_of(os.getpid())
        finally:
            process.kill()
    assert children_of(process.pid) == []
