"""Who waits for a restart receives its steps, and those of restarts that take over, and nothing else."""

from __future__ import annotations

import asyncio

from spawner.admin.restart_command import RestartProgress
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
