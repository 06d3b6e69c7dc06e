"""Who waits for a restart receives its steps, and those of restarts that take over, and nothing else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, Optional

from spawner.admin.command import Caller
from spawner.admin.restart_command import RestartCommand, RestartProgress
from spawner.pool.effects import Progress


def step(generation: int, stage: str, key: str = "a") -> Progress:
    return Progress(key, generation, stage, 0, 1)


def received(progress: RestartProgress, awaited: int, *steps: Progress) -> list[tuple[int, str]]:
    """The steps that a waiter for app `a` receives, up to the last of them that concerns it."""

    async def main() -> list[tuple[int, str]]:
        found = []
        with progress.wait_for(["a"]) as waiter:
            waiter.generations["a"] = awaited
            for one in steps:
                progress.publish(one)
            while not waiter.steps.empty():
                try:
                    told = await asyncio.wait_for(waiter.next(), 0.05)
                except asyncio.TimeoutError:
                    break
                found.append((told.generation, told.stage))
        return found

    return asyncio.run(main())


def test_the_steps_of_the_awaited_generation_are_received_in_order() -> None:
    steps = [step(2, "loading"), step(2, "replacing"), step(2, "completed")]
    assert received(RestartProgress(), 2, *steps) == [(2, "loading"), (2, "replacing"), (2, "completed")]


def test_steps_of_an_older_restart_are_not_received() -> None:
    assert received(RestartProgress(), 3, step(2, "completed"), step(3, "loading")) == [(3, "loading")]


def test_those_of_a_newer_one_are() -> None:
    steps = [step(2, "superseded"), step(3, "loading"), step(3, "completed")]
    assert received(RestartProgress(), 2, *steps) == [(2, "superseded"), (3, "loading"), (3, "completed")]


def test_those_of_another_app_are_not_received() -> None:
    assert received(RestartProgress(), 2, step(2, "completed", "b")) == []


def test_steps_that_nobody_waits_for_are_dropped() -> None:
    progress = RestartProgress()
    assert received(progress, 1, step(1, "completed")) == [(1, "completed")]
    progress.publish(step(1, "completed"))
    progress.group_removed("a")


def test_an_app_that_ends_ends_the_wait_as_failed() -> None:
    async def main() -> Progress:
        progress = RestartProgress()
        with progress.wait_for(["a"]) as waiter:
            waiter.generations["a"] = 4
            progress.group_removed("b")
            progress.group_removed("a")
            return await asyncio.wait_for(waiter.next(), 5)

    told = asyncio.run(main())
    assert (told.generation, told.stage, told.failure is not None) == (4, "failed", True)


class Restarts:
    """Restarts the one app `a`; the pool says its steps at once, before the command has its generation."""

    def __init__(self) -> None:
        self.progress = RestartProgress()
        selection: Any = SimpleNamespace(select=lambda arguments, caller: ["a"])
        self.command = RestartCommand(selection, self._restart, self.progress)
        self.steps = [step(2, "loading"), step(2, "completed")]

    def _restart(self, key: str, method: Optional[str], wait: bool) -> int:
        for one in self.steps:
            self.progress.publish(one)
        return 2

    async def run(self, wait: bool, told: list[str]) -> dict[str, Any]:
        async def take(step_told: dict[str, Any]) -> None:
            told.append(step_told["stage"])

        answer = await asyncio.wait_for(self.command.run({"wait": wait}, Caller(0, True), take), 5)
        outcome: dict[str, Any] = answer["groups"][0]
        return outcome


def test_no_step_of_a_restart_is_missed_that_is_over_before_its_generation_is_known() -> None:
    restarts, told = Restarts(), []
    assert asyncio.run(restarts.run(True, told))["outcome"] == "completed"
    assert told == ["loading", "completed"]


def test_whoever_has_waited_or_has_left_is_told_nothing_any_more() -> None:
    async def main() -> None:
        restarts = Restarts()
        for wait in (True, False):
            await restarts.run(wait, [])
            assert restarts.progress._waiters == []
        restarts.steps = []
        waiting = asyncio.ensure_future(restarts.run(True, []))
        while not restarts.progress._waiters:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert restarts.progress._waiters == []

    asyncio.run(main())
