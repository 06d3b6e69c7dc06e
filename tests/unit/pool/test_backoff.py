"""How long an app waits whose starts fail or whose workers end as soon as they are up, and what ends the pause."""

from __future__ import annotations

import pytest

from spawner.pool.backoff import Backoff
from tests.unit.pool.world import World


def test_the_pauses_grow_with_the_failures_in_a_row_to_a_minute() -> None:
    backoff, pauses = Backoff(), []
    for _ in range(8):
        backoff.start_failed(World.failure(), 1, 100.0)
        pauses.append(backoff.retry_at - 100.0)
    assert pauses == [1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 60.0, 60.0]
    assert backoff.start_succeeded(1)
    backoff.start_failed(World.failure(), 1, 100.0)
    assert backoff.retry_at == 101.0


def test_a_start_of_an_older_release_mends_nothing_of_a_newer_one() -> None:
    backoff = Backoff()
    backoff.start_failed(World.failure(), 2, 100.0)
    assert not backoff.start_succeeded(1)
    assert (backoff.failure is not None, backoff.failures) == (True, 1)


@pytest.mark.parametrize(("lived", "waits"), [(0.9, True), (1.0, False)])
def test_the_third_worker_in_a_row_that_ends_within_a_second_is_followed_by_a_pause(lived: float, waits: bool) -> None:
    world = World()
    world.up(min_instances=1)
    for _ in range(3):
        assert len(world.serving()) == 1
        world.now += lived
        world.exit(world.serving()[0], 1)
        if world.starting_or_none() is not None:
            world.all_up()
    assert (world.pool.groups["app"].backoff.start_after > world.now) is waits
    if waits:
        world.advance(1.01)
    assert world.starting_or_none() is not None or world.serving()


def test_a_restart_ends_the_pause_of_the_code_before() -> None:
    world = World()
    world.up(min_instances=2)
    world.exit(world.serving()[0], 1)
    for _ in range(4):
        world.fail(world.starting())
        world.advance(0.0)
        if world.pool.groups["app"].backoff.start_after > world.now:
            break
    assert world.pool.groups["app"].backoff.start_after > world.now
    assert world.starting_or_none() is None
    world.restart()
    assert world.starting().generation == 2


def test_a_scoreboard_has_place_for_1024_workers_and_no_app_has_more() -> None:
    world = World(max_pool_size=5000)
    world.register()
    assert world.pool.capacity.cap(world.pool.groups["app"]) == 1024


def test_an_app_that_is_configured_no_more_has_a_minute() -> None:
    world = World(pool_idle_time=0)
    world.up()
    world.step(world.pool.configure, world.server, 2, {"other"})
    world.advance(59.9)
    assert world.serving()
    world.advance(0.2)
    assert not world.serving()
