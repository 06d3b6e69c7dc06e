"""Who waits for a restart hears of it, and of those that take over, and of nothing else."""

from __future__ import annotations

import asyncio

from spawner.admin.restart_progress import RestartProgress
from spawner.pool.effects import Progress


def step(generation: int, stage: str, key: str = "a") -> Progress:
    return Progress(key, generation, stage, 0, 1)


def heard(board: RestartProgress, awaited: int, *steps: Progress) -> list[tuple[int, str]]:
    """What a listener for app `a` is told of steps, up to the last of them that concerns it."""

    async def main() -> list[tuple[int, str]]:
        found = []
        with board.listen(["a"]) as listener:
            listener.awaited["a"] = awaited
            for one in steps:
                board.publish(one)
            while not listener.steps.empty():
                try:
                    told = await asyncio.wait_for(listener.next(), 0.05)
                except asyncio.TimeoutError:
                    break
                found.append((told.generation, told.stage))
        return found

    return asyncio.run(main())


def test_the_steps_of_the_awaited_generation_are_heard_in_order() -> None:
    steps = [step(2, "loading"), step(2, "replacing"), step(2, "completed")]
    assert heard(RestartProgress(), 2, *steps) == [(2, "loading"), (2, "replacing"), (2, "completed")]


def test_an_older_restart_is_not_heard_of() -> None:
    assert heard(RestartProgress(), 3, step(2, "completed"), step(3, "loading")) == [(3, "loading")]


def test_a_newer_one_is() -> None:
    steps = [step(2, "superseded"), step(3, "loading"), step(3, "completed")]
    assert heard(RestartProgress(), 2, *steps) == [(2, "superseded"), (3, "loading"), (3, "completed")]


def test_another_app_is_not_heard_of() -> None:
    assert heard(RestartProgress(), 2, step(2, "completed", "b")) == []


def test_nobody_is_told_when_nobody_listens() -> None:
    board = RestartProgress()
    assert heard(board, 1, step(1, "completed")) == [(1, "completed")]
    board.publish(step(1, "completed"))
    board.group_ended("a")


def test_an_app_that_ends_ends_the_wait_as_failed() -> None:
    async def main() -> Progress:
        board = RestartProgress()
        with board.listen(["a"]) as listener:
            listener.awaited["a"] = 4
            board.group_ended("b")
            board.group_ended("a")
            return await asyncio.wait_for(listener.next(), 5)

    told = asyncio.run(main())
    assert (told.generation, told.stage, told.failure is not None) == (4, "failed", True)
