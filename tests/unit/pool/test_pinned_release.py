"""A release that does not start: the old one is pinned and serves on, or it goes."""

from __future__ import annotations

from typing import Any

import pytest

from spawner.pool import effects
from spawner.pool.process import Process
from spawner.pool.states import GroupState, ProcessKind
from tests.unit.pool.world import World


def deploy_broken(world: World, **options: Any) -> list[effects.Effect]:
    """An app is up, and a new release of it cannot be imported."""
    world.up(**options)
    world.restart()
    return world.fail(world.starting())


def notes(world: World) -> list[tuple[int, bool]]:
    """What was written down beside restart.txt: the generation, and whether it failed."""
    return [(note.generation, note.failure is not None) for note in world.effects_of(effects.NoteDeployment)]


def test_what_is_wrong_is_written_down_and_shown() -> None:
    world = World()
    deploy_broken(world)
    assert notes(world)[-1] == (2, True)
    world.now += 5
    pinned = world.pool.snapshot(world.now)["groups"][0]["pinned_release"]
    assert (pinned["generation"], pinned["age"]) == (2, 5.0)
    assert pinned["summary"] == "ImportError: no module"


def test_a_release_that_starts_takes_back_what_was_written_down() -> None:
    world = World()
    deploy_broken(world)
    world.restart()
    world.all_up()
    assert notes(world)[-1] == (3, False)
    assert world.pool.snapshot(world.now)["groups"][0]["pinned_release"] is None


def test_a_second_broken_release_is_the_one_that_is_shown() -> None:
    world = World()
    deploy_broken(world)
    world.restart()
    world.fail(world.starting())
    assert notes(world)[-1] == (3, True)
    assert [process.generation for process in world.serving()] == [1]
    assert world.pool.snapshot(world.now)["groups"][0]["pinned_release"]["generation"] == 3


def test_neither_idle_workers_nor_the_old_preloader_go_while_a_release_is_pinned() -> None:
    world = World(pool_idle_time=100)
    world.up()
    for _ in range(2):
        world.sample(busy=True, waiting=True)
    world.all_up()
    world.restart()
    world.fail(world.starting())
    world.sample()
    world.advance(10_000)
    assert len(world.serving()) == 2
    assert [process.generation for process in world.processes(kind=ProcessKind.PRELOADER) if not process.retiring] == [
        1
    ]


def test_a_lost_worker_is_forked_from_the_old_preloader() -> None:
    world = World()
    deploy_broken(world)
    world.all_up()
    world.exit(world.serving()[0], 9)
    world.advance(2.0)
    world.all_up()
    assert [process.generation for process in world.serving()] == [1]
    assert len(world.effects_of(effects.StartProcess)) == 2, "nothing was started from disk but the broken release"
    assert world.pool.groups["app"].release.pinned is not None


def test_without_the_old_preloader_nothing_is_started_while_a_worker_serves() -> None:
    world = World()
    deploy_broken(world, min_instances=2)
    world.exit(world.processes(kind=ProcessKind.PRELOADER)[0], 9)
    world.exit(world.serving()[0], 9)
    world.advance(100.0)
    for _ in range(4):
        world.sample(busy=True, waiting=True)
    assert len(world.effects_of(effects.StartProcess)) == 2, "the first start, and the release that failed"
    assert len(world.serving()) == 1


def test_with_nothing_left_of_the_old_release_the_newest_code_is_tried() -> None:
    world = World()
    deploy_broken(world, spawn_method="direct")
    world.all_up()
    world.exit(world.serving()[0], 9)
    world.advance(2.0)
    assert world.starting().generation == 2
    world.all_up()
    assert world.pool.groups["app"].release.pinned is None
    assert notes(world)[-1] == (2, False), "it has come up after all"


def test_a_worker_at_its_request_limit_that_cannot_be_replaced_serves_on() -> None:
    world = World()
    deploy_broken(world, spawn_method="direct", max_requests=10)
    world.all_up()
    worker = world.serving()[0]
    world.step(world.pool.max_requests_reached, worker.process_id)
    world.advance(100.0)
    assert [process.process_id for process in world.serving()] == [worker.process_id]


def test_the_last_worker_lost_during_a_restart_is_replaced_from_the_old_preloader() -> None:
    world = World()
    world.up()
    world.restart()
    world.exit(world.serving()[0], 9)
    assert world.effects_of(effects.ForkWorker)[-1].generation == 1
    assert world.pool.groups["app"].state is GroupState.RESTARTING
    world.fail(next(process for process in world.processes(kind=ProcessKind.PRELOADER) if process.starting))
    world.all_up()
    assert [process.generation for process in world.serving()] == [1], "the broken release has taken nothing"


def test_an_old_preloader_that_forks_nothing_is_not_asked_over_and_over() -> None:
    world = World()
    world.up(min_instances=2)
    world.restart()
    world.exit(world.serving()[0], 9)
    for _ in range(3):
        for worker in [process for process in world.processes(kind=ProcessKind.WORKER) if process.starting]:
            world.fail(worker)
    assert len(world.effects_of(effects.ForkWorker)) == 3
    world.advance(1.1)
    assert len(world.effects_of(effects.ForkWorker)) == 4


def test_a_pinned_release_outlives_the_spawner() -> None:
    world = World()
    deploy_broken(world, min_instances=2)
    world.all_up()
    world.adopt_all(lambda number, process: True)
    assert world.pool.groups["app"].state is GroupState.SERVING
    assert not [process for process in world.processes() if process.starting], "the release that failed is not tried"
    assert world.pool.snapshot(world.now)["groups"][0]["pinned_release"]["generation"] == 2
    world.restart()
    world.all_up()
    assert [process.generation for process in world.serving()] == [3, 3]
    assert world.pool.groups["app"].release.pinned is None


def test_an_old_preloader_alone_outlives_the_spawner_as_the_old_release() -> None:
    world = World()
    deploy_broken(world)
    world.all_up()
    world.adopt_all(lambda number, process: process.kind is ProcessKind.PRELOADER)
    world.request()
    world.all_up()
    assert [process.generation for process in world.serving()] == [1]


def test_a_restart_that_came_after_the_failure_goes_on_under_another_spawner() -> None:
    world = World()
    deploy_broken(world)
    world.all_up()
    world.restart()
    world.adopt_all(lambda number, process: True)
    world.all_up()
    assert [process.generation for process in world.serving()] == [3]


def test_without_pinning_the_broken_release_takes_the_place_of_the_old_one() -> None:
    world = World()
    found = deploy_broken(world, min_instances=2, resist_deployment_errors=False)
    group = world.pool.groups["app"]
    assert group.state is GroupState.FAILED
    assert not world.serving()
    assert any(isinstance(effect, effects.FailWaiting) for effect in found)
    assert notes(world)[-1] == (2, True)
    assert any(isinstance(effect, effects.FailWaiting) for effect in world.request())
    world.now += 1.1
    world.request()
    world.all_up()
    assert {process.generation for process in world.serving()} == {2}


def test_a_blocking_restart_that_fails_is_written_down_too() -> None:
    world = World()
    deploy_broken(world, rolling_restarts=False, resist_deployment_errors=False)
    assert world.pool.groups["app"].state is GroupState.FAILED
    assert notes(world)[-1] == (2, True)


def test_a_first_start_that_fails_is_no_failed_deployment() -> None:
    world = World()
    world.register()
    world.request()
    world.fail(world.starting())
    assert notes(world) == []


def half_restarted(world: World, **options: Any) -> list[Process]:
    """Two workers, one of them replaced by a restart: the serving ones, the older first."""
    world.up(min_instances=2, **options)
    world.restart()
    while len({process.generation for process in world.serving()}) < 2:
        world.come_up(next(process for process in world.processes() if process.starting))
    for process in [process for process in world.processes() if process.retiring]:
        world.exit(process)
    return sorted(world.serving(), key=lambda process: process.generation)


def test_a_release_that_fails_after_a_half_finished_restart_leaves_one_release_serving() -> None:
    world = World()
    half_restarted(world, spawn_method="direct")
    world.restart()
    for process in [process for process in world.processes() if process.retiring]:
        world.exit(process)
    world.fail(next(process for process in world.processes() if process.starting and process.generation == 3))
    world.all_up()
    assert [process.generation for process in world.serving()] == [2]
    assert world.pool.groups["app"].state is GroupState.SERVING
    assert world.pool.groups["app"].release.pinned is not None


def fail_over_and_over(world: World, times: int) -> list[effects.Progress]:
    """Every start fails, again and again: what is told of it."""
    before = len(world.effects_of(effects.Progress))
    for _ in range(times):
        world.advance(61.0)
        while world.starting_or_none() is not None:
            world.fail(world.starting())
    return world.effects_of(effects.Progress)[before:]


@pytest.mark.parametrize("method", ["direct", "smart"])
def test_a_restart_whose_further_workers_do_not_come_up_ends_with_the_newer_release_alone(method: str) -> None:
    world = World()
    half_restarted(world, spawn_method=method)
    assert {told.stage for told in fail_over_and_over(world, 4)} == {"replacing"}
    assert {process.generation for process in world.serving()} == {1, 2}
    told = fail_over_and_over(world, 1)[-1]
    assert told.stage == "failed"
    assert told.failure is not None
    assert told.failure.summary.startswith("only 1 of 2 workers came up: ")
    for process in [process for process in world.processes() if process.retiring]:
        world.exit(process)
    assert [process.generation for process in world.serving()] == [2]
    assert world.pool.groups["app"].state is GroupState.SERVING
    world.advance(61.0)
    world.all_up()
    assert [process.generation for process in world.serving()] == [2, 2], "the missing one has come after all"


def test_a_restart_that_has_lost_what_it_brought_up_and_brings_no_more_pins_the_old_release() -> None:
    world = World()
    _, newer = half_restarted(world, spawn_method="direct")
    world.exit(newer, 9)
    told = fail_over_and_over(world, 5)[-1]
    assert told.stage == "failed"
    assert [process.generation for process in world.serving()] == [1]
    group = world.pool.groups["app"]
    assert (group.state, group.release.current) == (GroupState.SERVING, 1)
    assert group.release.pinned is not None
    assert group.release.pinned.generation == 2
    assert notes(world)[-1] == (2, True)


def test_without_pinning_a_restart_that_has_lost_what_it_brought_up_takes_the_old_release_along() -> None:
    world = World()
    _, newer = half_restarted(world, spawn_method="direct", resist_deployment_errors=False)
    world.exit(newer, 9)
    assert fail_over_and_over(world, 5)[-1].stage == "failed"
    assert not world.serving()
    assert world.pool.groups["app"].state is GroupState.FAILED
