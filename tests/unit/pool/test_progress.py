"""How a restart stands: what those are told who wait for it."""

from __future__ import annotations

from typing import Any

import pytest

from spawner.pool import effects
from spawner.pool.states import GroupState
from tests.unit.pool.world import World


def told(world: World) -> list[tuple[int, str]]:
    """The stages so far, with their generations; the same one twice in a row is one."""
    steps = [(step.generation, step.stage) for step in world.effects_of(effects.Progress)]
    return [step for index, step in enumerate(steps) if index == 0 or steps[index - 1] != step]


def last(world: World) -> effects.Progress:
    """The last step."""
    return world.effects_of(effects.Progress)[-1]


def test_a_rolling_restart_tells_of_each_worker() -> None:
    world = World()
    world.up(min_instances=3)
    assert world.restart() == 2
    world.all_up()
    steps = [(step.stage, step.done, step.total) for step in world.effects_of(effects.Progress)]
    assert steps == [
        ("loading", 0, 3),
        ("replacing", 1, 3),
        ("replacing", 2, 3),
        ("replacing", 3, 3),
        ("completed", 3, 3),
    ]


def test_it_is_complete_when_the_last_old_worker_has_gone() -> None:
    world = World()
    world.up()
    world.restart()
    while world.starting_or_none():
        world.come_up(world.starting())
    assert told(world)[-1] == (2, "replacing")
    world.exit(next(process for process in world.processes() if process.retiring and process.is_worker))
    assert told(world)[-1] == (2, "completed")


@pytest.mark.parametrize("options", [{}, {"resist_deployment_errors": False}, {"rolling_restarts": False}])
def test_a_release_that_does_not_start_has_failed_and_says_why(options: dict[str, Any]) -> None:
    world = World()
    world.up(**options)
    world.restart()
    world.fail(world.starting())
    assert told(world) == [(2, "loading"), (2, "failed")]
    failure = last(world).failure
    assert failure is not None
    assert failure.summary == "ImportError: no module"


def test_a_restart_that_is_started_over_is_superseded() -> None:
    world = World()
    world.up()
    world.restart()
    assert world.restart() == 3
    world.all_up()
    assert told(world) == [(2, "loading"), (2, "superseded"), (3, "loading"), (3, "replacing"), (3, "completed")]


def test_a_restart_that_waits_for_the_one_under_way_answers_as_the_next_generation() -> None:
    world = World()
    world.up()
    for _ in range(4):
        world.restart()
    assert world.restart() == 6
    assert world.restart() == 6
    world.all_up()
    assert told(world)[-4:] == [(5, "superseded"), (6, "loading"), (6, "replacing"), (6, "completed")]


def test_one_that_fails_with_a_newer_one_waiting_is_superseded_by_it() -> None:
    world = World()
    world.up()
    for _ in range(5):
        world.restart()
    world.fail(world.starting())
    assert told(world)[-2:] == [(5, "superseded"), (6, "loading")]


def test_a_blocking_restart_is_complete_when_the_new_code_serves_and_the_old_has_gone() -> None:
    world = World()
    world.up(min_instances=2)
    world.restart(method="blocking")
    assert not world.serving()
    world.all_up()
    assert told(world)[0] == (2, "loading")
    assert told(world)[-1] == (2, "completed")
    assert any("restart completed: app: generation 2" in effect.text for effect in world.effects_of(effects.LogLine))


def test_a_rolling_restart_can_be_asked_for_where_blocking_is_configured() -> None:
    world = World()
    world.up(rolling_restarts=False)
    world.restart(method="rolling")
    assert world.serving()
    world.all_up()
    assert [process.generation for process in world.serving()] == [2]


def test_the_restart_of_an_app_without_process_is_complete_at_once() -> None:
    world = World()
    world.register()
    assert world.restart() == 2
    assert told(world) == [(2, "loading"), (2, "completed")]
    assert not world.processes()


def test_an_app_without_process_is_started_for_who_waits() -> None:
    world = World()
    world.register(min_instances=2)
    world.restart(start_if_cold=True)
    assert world.starting().generation == 2
    world.all_up()
    assert told(world)[-1] == (2, "completed")
    assert len(world.serving()) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_the_workers_that_an_app_without_any_is_to_have_are_counted(workers: int) -> None:
    world = World()
    world.register(min_instances=workers)
    world.restart(start_if_cold=True)
    world.all_up()
    steps = [(step.stage, step.done, step.total) for step in world.effects_of(effects.Progress)]
    assert ("replacing", 1, workers) in steps


def test_who_waits_for_an_app_without_process_is_told_why_it_does_not_load() -> None:
    world = World()
    world.register()
    world.restart(start_if_cold=True)
    world.fail(world.starting())
    assert told(world)[-1] == (2, "failed")
    assert world.restart(start_if_cold=True) == 3, "the back-off is over for who asks"
    world.all_up()
    assert told(world)[-1] == (3, "completed")


def test_a_restart_while_the_app_starts_first_tells_of_the_newer_code() -> None:
    world = World()
    world.register()
    world.request()
    world.restart(start_if_cold=True)
    world.all_up()
    assert told(world) == [(2, "loading"), (2, "replacing"), (2, "completed")]


def test_who_waits_for_a_restart_of_a_first_start_that_is_put_off_is_told_of_its_own() -> None:
    world = World()
    world.register()
    world.request()
    for _ in range(3):
        world.restart()
    assert world.restart(start_if_cold=True) == 5
    world.fail(world.starting())
    assert world.starting().generation == 5, "it is started, though what was loading has failed"
    world.all_up()
    assert told(world)[-1] == (5, "completed")


def test_a_restart_goes_on_when_all_old_workers_are_lost() -> None:
    world = World()
    world.up(spawn_method="direct")
    world.restart()
    world.exit(world.serving()[0], 9)
    world.all_up()
    assert told(world)[-1] == (2, "completed")


def test_a_worker_of_the_new_release_that_does_not_start_is_told_and_tried_again() -> None:
    world = World()
    world.up(spawn_method="direct", min_instances=2)
    world.restart()
    first = world.starting()
    for _ in range(3):
        world.come_up(first)
    world.exit(next(process for process in world.processes() if process.retiring))
    world.fail(world.starting())
    assert last(world).stage == "replacing"
    assert last(world).failure is not None
    world.advance(1.1)
    world.all_up()
    assert told(world)[-1] == (2, "completed")


def test_who_waits_for_an_app_that_ends_is_told() -> None:
    world = World()
    world.up()
    world.restart()
    world.step(world.pool.shut_down, world.now + 3)
    assert told(world)[-1] == (2, "failed")


def test_a_restart_that_is_under_way_is_shown() -> None:
    world = World()
    world.up(min_instances=2)
    world.restart()
    world.now += 3
    shown = world.pool.snapshot(world.now)["groups"][0]["restart"]
    assert shown == {"generation": 2, "stage": "loading", "done": 0, "total": 2, "age": 3.0}
    world.all_up()
    assert world.pool.snapshot(world.now)["groups"][0]["restart"] is None


def test_a_restart_under_way_is_finished_by_another_spawner() -> None:
    world = World()
    world.up(min_instances=2)
    world.restart()
    world.adopt_all(lambda number, process: True)
    world.all_up()
    assert told(world)[-1] == (2, "completed")
    assert world.pool.groups["app"].state is GroupState.SERVING


def test_workers_that_end_as_soon_as_they_are_up_are_not_started_without_a_pause() -> None:
    world = World()
    world.up()
    for _ in range(3):
        assert world.serving()
        world.exit(world.serving()[0], 11)
        world.all_up()
    assert not world.serving()
    for pause in (1.0, 2.0, 5.0, 5.0):
        world.advance(pause - 0.1)
        assert world.starting_or_none() is None
        world.advance(0.2)
        world.all_up()
        world.exit(world.serving()[0], 11)


def test_workers_that_a_request_ends_are_replaced_at_once_each_time() -> None:
    world = World()
    world.up()
    for _ in range(10):
        world.sample(busy=True)
        world.exit(world.serving()[0], 11)
        world.all_up()
    assert world.serving()
