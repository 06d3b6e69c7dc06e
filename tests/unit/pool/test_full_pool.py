"""A pool that is full is said: in the description of an app, and once in the log."""

from __future__ import annotations

from typing import Any

from spawner.pool import effects
from tests.unit.pool.world import World


def lines(world: World) -> list[str]:
    """The lines about a full pool."""
    return [line.text for line in world.effects_of(effects.LogLine) if line.number == 3542]


def told(world: World, key: str) -> Any:
    """What the description of an app says."""
    groups = world.pool.snapshot(world.now)["groups"]
    return next(group["pool_full"] for group in groups if group["name"] == key)


def full_world() -> World:
    """Four places: one app has grown to three workers, the other has one of the three that it is to have."""
    world = World(max_pool_size=4)
    world.up("large")
    while len(world.serving("large")) < 3:
        world.sample("large", busy=True, waiting=True)
        world.all_up("large")
    world.sample("large", busy=True)
    world.up("small", min_instances=3)
    return world


def test_an_app_that_has_fewer_workers_than_it_wants_is_told_with_both_figures() -> None:
    world = full_world()
    assert told(world, "small") == {"wants": 3, "has": 1}
    assert told(world, "large") is None


def test_the_log_says_it_once_while_it_lasts() -> None:
    world = full_world()
    for _ in range(3):
        world.sample("small", busy=True, waiting=True)
        world.advance(1)
    assert told(world, "small")["has"] == 1
    text = "the pool is full: small wants 3 workers and has 1: each place of PassengerMaxPoolSize is taken"
    assert lines(world) == [text]


def test_it_is_over_when_the_app_has_what_it_wants_and_is_said_anew_the_next_time() -> None:
    world = full_world()
    world.sample("large", busy=False)
    world.sample("small", busy=True)
    world.advance(301)  # idle workers of the large app end
    world.all_up("small")
    assert told(world, "small") is None
    assert len(lines(world)) == 1
    world.register("third", min_instances=1)
    world.sample("large", busy=True)
    world.sample("small", busy=True)
    world.request("third")
    for _ in range(2):
        world.come_up(world.processes("third")[0])
    assert told(world, "third") == {"wants": 1, "has": 0}
    for _ in range(2):
        world.sample("large", busy=True, waiting=True)
    world.all_up("large")  # its preloader has ended, too
    assert told(world, "large") == {"wants": 2, "has": 1}
    assert [line.partition(" wants")[0] for line in lines(world)[1:]] == [
        "the pool is full: third",
        "the pool is full: large",
    ]


def test_a_pool_with_a_place_is_not_called_full_while_an_app_loads() -> None:
    world = World(max_pool_size=6)
    world.register("app", min_instances=3)
    world.request("app")
    assert told(world, "app") is None
    world.all_up("app")
    assert told(world, "app") is None
    assert lines(world) == []
