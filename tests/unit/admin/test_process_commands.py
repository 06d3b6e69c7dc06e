"""Commands about single processes: how much of them happens at the same time, and how much an answer has."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from spawner.admin.command import Caller
from spawner.admin.process_commands import BacktracesCommand
from spawner.pool.process import Process
from spawner.pool.registry import Registry
from spawner.pool.states import ProcessKind

ROOT = Caller(0, True)


class Captures:
    """Captures stacks, each of which takes a turn of the loop."""

    def __init__(self, text: str = "stacks") -> None:
        self.text = text
        self.running = 0
        self.most = 0

    async def stacks_of(self, process_id: int) -> str:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        return self.text


def backtraces(captures: Captures, count: int) -> list[dict[str, Any]]:
    """The answer for an app with so many processes."""
    registry: Any = Registry()
    processes = {n: Process(n, "app", ProcessKind.WORKER, 1, 0.0, n, pid=1000 + n) for n in range(1, count + 1)}
    registry.groups.enter("app", SimpleNamespace(processes=processes))
    selection: Any = SimpleNamespace(select=lambda arguments, caller: ["app"])
    command = BacktracesCommand(registry, selection, captures.stacks_of)

    async def ask() -> list[dict[str, Any]]:
        async def no_progress(step: dict[str, Any]) -> None:
            raise AssertionError(step)

        answer: list[dict[str, Any]] = (await command.run({}, ROOT, no_progress))["processes"]
        return answer

    return asyncio.run(ask())


def test_the_stacks_of_many_processes_are_captured_some_at_a_time_and_all_of_them_come() -> None:
    captures = Captures()
    assert [one["pid"] for one in backtraces(captures, 100)] == [*range(1001, 1101)]
    assert captures.most == 32


def test_the_stacks_of_one_process_are_cut_where_they_are_too_long() -> None:
    (one,) = backtraces(Captures("x" * 1_000_000), 1)
    assert len(one["text"]) == 131_072
