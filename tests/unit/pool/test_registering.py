"""What a registration makes of an app that is known: which one is in force, and what follows from it."""

from __future__ import annotations

import dataclasses

from spawner.pool import effects
from spawner.pool.states import GroupState
from tests.unit.pool.world import World


def test_two_configurations_of_one_group_in_one_epoch_keep_the_first_and_say_so() -> None:
    world = World()
    world.register(start_timeout=50)
    found = world.register(start_timeout=60)
    assert any(isinstance(effect, effects.LogLine) and effect.number == 3501 for effect in found)
    assert world.pool.groups["app"].registration.options.start_timeout == 50


def test_options_of_a_newer_configuration_that_matter_to_a_running_app_restart_it() -> None:
    world = World()
    world.up(app_env="production")
    world.step(world.pool.configure, world.server, 2, set())
    world.register(epoch=2, app_env="staging")
    assert world.pool.groups["app"].state is GroupState.RESTARTING


def test_the_same_options_in_a_newer_configuration_leave_the_workers_alone() -> None:
    world = World()
    world.up()
    before = [process.pid for process in world.serving()]
    world.step(world.pool.configure, world.server, 2, set())
    world.register(epoch=2)
    world.all_up()
    assert [process.pid for process in world.serving()] == before


def test_one_group_in_two_places_with_the_same_options_is_no_conflict_and_no_restart() -> None:
    world = World()
    world.up()
    elsewhere = dataclasses.replace(world.registration("app", 1), base_uri="/shop", server_name="other")
    found = world.step(world.pool.register, elsewhere)
    assert not any(isinstance(effect, effects.LogLine) for effect in found)
    assert world.pool.groups["app"].state is GroupState.SERVING


def test_a_child_of_httpd_from_before_a_restart_puts_nothing_old_back() -> None:
    """Nor does it end what the newer configuration has begun, however often its requests come."""
    world = World()
    world.up(app_env="production", start_timeout=50)
    world.step(world.pool.configure, world.server, 2, {"app"})
    world.register(epoch=2, app_env="staging", start_timeout=60)
    world.all_up()
    in_force, before = world.pool.groups["app"].registration, [process.pid for process in world.serving()]
    for _ in range(3):
        found = world.register(epoch=1, app_env="production", start_timeout=50)
        assert not found
        assert world.pool.groups["app"].registration == in_force
    assert [process.pid for process in world.serving()] == before
    assert world.pool.groups["app"].state is GroupState.SERVING


def test_an_older_child_s_variables_and_virtual_host_are_not_taken_over_either() -> None:
    world = World()
    newer = dataclasses.replace(world.registration("app", 2), environment={"A": "new"}, vhost_id="new")
    older = dataclasses.replace(world.registration("app", 1), environment={"A": "old"}, vhost_id="old")
    world.step(world.pool.register, newer)
    assert world.step(world.pool.register, older) == []
    assert world.pool.groups["app"].registration == newer
