"""How groups get their workers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from spawner.errors import IllegalTransition
from spawner.pool import effects
from spawner.pool.states import GroupState, ProcessKind, ProcessState
from spawner.shared import start_steps
from tests.unit.pool.world import World


def kinds(found: list[effects.Effect]) -> list[str]:
    """The names of effects, log lines left out."""
    return [type(effect).__name__ for effect in found if not isinstance(effect, effects.LogLine)]


def load_two(world: World) -> None:
    """A second app has a request, and its preloader is up: what it lacks is room for a worker."""
    world.register("two")
    world.request("two")
    preloader = world.processes("two")[0]
    world.come_up(preloader)
    world.come_up(preloader)


def test_a_new_group_gets_a_socket_whose_queue_is_watched() -> None:
    assert kinds(World().register()) == ["CreateGroup", "WatchQueue"]


def test_nothing_is_started_before_the_first_request() -> None:
    world = World()
    world.register(min_instances=3)
    world.advance(1000)
    assert not world.processes()


def test_the_first_request_starts_a_preloader_and_leaves_the_queue_to_the_workers() -> None:
    world = World()
    world.register()
    assert sorted(kinds(world.request())) == ["StartProcess", "UnwatchQueue"]
    assert world.effects_of(effects.StartProcess)[0].kind is ProcessKind.PRELOADER


def test_a_loaded_preloader_forks_as_many_workers_as_are_to_be_kept() -> None:
    world = World()
    world.up(min_instances=3)
    assert len(world.serving()) == 3
    assert len(world.effects_of(effects.StartProcess)) == 1
    assert sorted(fork.slot for fork in world.effects_of(effects.ForkWorker)) == [0, 1, 2]


def test_direct_spawning_execs_each_worker() -> None:
    world = World()
    world.up(spawn_method="direct", min_instances=2)
    assert [start.kind for start in world.effects_of(effects.StartProcess)] == [ProcessKind.DIRECT] * 2
    assert len(world.serving()) == 2
    assert not world.effects_of(effects.ForkWorker)


def test_a_group_grows_when_all_workers_are_busy_while_a_request_waits() -> None:
    world = World()
    world.up()
    world.sample(busy=True, waiting=True)
    world.sample(busy=True, waiting=True)
    world.all_up()
    assert len(world.serving()) == 2


@pytest.mark.parametrize(("busy", "waiting"), [(True, False), (False, True)])
def test_a_group_does_not_grow_without_both_signs(busy: bool, waiting: bool) -> None:
    world = World()
    world.up()
    for _ in range(10):
        world.sample(busy=busy, waiting=waiting)
    assert len(world.processes(kind=ProcessKind.WORKER)) == 1


@pytest.mark.parametrize(
    ("server", "options", "limit"),
    [
        ({"max_pool_size": 4}, {}, 4),
        ({"max_pool_size": 9, "max_instances_per_app": 3}, {}, 3),
        ({"max_pool_size": 9}, {"max_instances": 2}, 2),
    ],
)
def test_growth_stops_at_the_smallest_cap(server: dict[str, Any], options: dict[str, Any], limit: int) -> None:
    world = World(**server)
    world.up(**options)
    for _ in range(20):
        world.sample(busy=True, waiting=True)
        world.all_up()
    assert len(world.serving()) == limit


def test_an_idle_worker_goes_after_the_idle_time_but_the_minimum_stays() -> None:
    world = World(pool_idle_time=300)
    world.up(min_instances=1)
    for _ in range(4):
        world.sample(busy=True, waiting=True)
        world.all_up()
    assert len(world.serving()) == 3
    world.sample()
    world.advance(301)
    world.all_up()
    assert len(world.serving()) == 1


def test_a_group_that_may_be_empty_becomes_cold_and_wakes_again() -> None:
    world = World(pool_idle_time=300)
    world.up(min_instances=0)
    world.advance(301)
    world.all_up()
    assert world.pool.groups["app"].state is GroupState.COLD
    assert not world.serving()
    world.request()
    world.all_up()
    assert len(world.serving()) == 1


def test_an_idle_preloader_goes_and_comes_back_when_needed() -> None:
    world = World()
    world.up(max_preloader_idle_time=100)
    world.advance(101)
    world.all_up()
    assert not world.processes(kind=ProcessKind.PRELOADER)
    world.sample(busy=True, waiting=True)
    world.sample(busy=True, waiting=True)
    world.all_up()
    assert len(world.serving()) == 2


def test_a_worker_that_dies_is_replaced() -> None:
    world = World()
    world.up(min_instances=2)
    world.exit(world.serving()[0], 9)
    world.all_up()
    assert len(world.serving()) == 2


def test_a_worker_that_dies_is_named_with_what_ended_it() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    said = [effect for effect in world.exit(worker, 9) if isinstance(effect, effects.LogLine)]
    assert said[0].text == "process ended unexpectedly: worker %d of app: signal 9" % worker.pid


def test_the_last_worker_that_dies_is_replaced() -> None:
    world = World()
    world.up()
    world.exit(world.serving()[0], 9)
    world.all_up()
    assert len(world.serving()) == 1
    assert world.pool.groups["app"].state is GroupState.SERVING


def test_workers_serve_on_when_their_preloader_dies() -> None:
    world = World()
    world.up(min_instances=2)
    world.exit(world.processes(kind=ProcessKind.PRELOADER)[0], 9)
    assert len(world.serving()) == 2


def test_who_waits_is_told_when_the_app_does_not_start() -> None:
    world = World()
    world.register()
    world.request()
    world.come_up(world.processes()[0])
    assert "FailWaiting" in kinds(world.fail(world.processes()[0]))
    assert world.pool.groups["app"].state is GroupState.FAILED


def test_requests_during_the_back_off_are_refused_without_a_start() -> None:
    world = World()
    world.register()
    world.request()
    world.fail(world.processes()[0])
    assert kinds(world.request()) == ["FailWaiting"]


def test_a_request_after_the_back_off_starts_the_app_again() -> None:
    world = World()
    world.register()
    world.request()
    world.fail(world.processes()[0])
    world.now += 1.1
    assert "StartProcess" in kinds(world.request())


def test_a_touch_ends_the_back_off_at_once() -> None:
    world = World()
    world.register()
    world.request()
    world.fail(world.processes()[0])
    world.step(world.pool.restart, "app")
    assert "StartProcess" in kinds(world.request())


def test_a_start_that_takes_too_long_is_killed_and_named() -> None:
    world = World()
    world.register(start_timeout=30)
    world.request()
    world.come_up(world.processes()[0])
    found = world.advance(30)
    assert "Kill" in kinds(found)
    assert "FailWaiting" in kinds(found)
    failure = world.pool.groups["app"].backoff.failure
    assert failure is not None
    assert failure.step == start_steps.IMPORT
    assert "PassengerStartTimeout" in failure.summary


def test_a_process_that_ends_before_it_is_up_is_a_failed_start() -> None:
    world = World()
    world.register()
    world.request()
    world.exit(world.processes()[0], 256)
    failure = world.pool.groups["app"].backoff.failure
    assert failure is not None
    assert "exit status 1" in failure.summary


def test_an_app_without_workers_gets_the_room_of_the_longest_idle_worker_of_another() -> None:
    world = World(max_pool_size=2)
    world.up("one", min_instances=1)
    world.now += 5
    world.up("two", min_instances=1)
    world.register("three")
    world.request("three")
    world.all_up("three")
    assert world.effects_of(effects.Retire)[0].process_id == world.processes("one", ProcessKind.WORKER)[0].process_id
    assert len(world.serving("three")) == 1


def test_an_app_without_workers_waits_while_every_other_is_busy_and_then_gets_its_turn() -> None:
    world = World(max_pool_size=1)
    world.up("one")
    world.sample("one", busy=True)
    load_two(world)
    assert not world.processes("two", ProcessKind.WORKER)
    world.sample("one", busy=False)
    world.advance(0.1)
    assert len(world.processes("two", ProcessKind.WORKER)) == 1


def test_no_more_apps_are_imported_at_once_than_there_are_cores() -> None:
    world = World(max_pool_size=10)
    for key in ("a", "b", "c"):
        world.register(key)
        world.request(key)
    assert len(world.effects_of(effects.StartProcess)) == 2
    first = world.processes("a")[0]
    world.come_up(first)
    world.come_up(first)
    assert len(world.effects_of(effects.StartProcess)) == 3


def test_a_retired_process_that_does_not_end_is_killed_but_not_while_it_is_in_a_request() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    world.sample(busy=True)
    world.step(world.pool.restart, "app")
    while worker.state is not ProcessState.RETIRING:
        world.come_up(next(process for process in world.processes() if process.starting))
    world.advance(1000)
    assert worker.process_id not in [kill.process_id for kill in world.effects_of(effects.Kill)]
    world.sample(busy=False)
    world.advance(61)
    assert worker.process_id in [kill.process_id for kill in world.effects_of(effects.Kill)]


def test_shutting_down_retires_everything_and_drops_each_group_when_it_is_empty() -> None:
    world = World()
    world.up()
    world.step(world.pool.shut_down, world.now + 3)
    assert {type(effect) for effect in world.seen[-3:]} >= {effects.Retire}
    for process in list(world.processes()):
        world.exit(process)
    assert world.effects_of(effects.DropGroup)
    assert not world.pool.groups


def test_a_group_that_is_not_configured_any_more_ends_when_it_has_been_idle() -> None:
    world = World(pool_idle_time=300)
    world.up()
    world.step(world.pool.configure, world.server, 2, set())
    world.advance(299)
    assert world.serving()
    world.advance(2)
    for process in list(world.processes()):
        world.exit(process)
    assert world.effects_of(effects.DropGroup)


def test_a_group_that_nobody_asks_for_keeps_its_minimum_while_its_virtual_host_is_configured() -> None:
    world = World(pool_idle_time=300)
    world.up(min_instances=2)
    world.step(world.pool.configure, world.server, 2, {"app", "other"})
    world.advance(86_400)
    assert len(world.serving()) == 2
    world.step(world.pool.configure, world.server, 3, {"other"})
    world.advance(301)
    for process in list(world.processes()):
        world.exit(process)
    assert world.effects_of(effects.DropGroup)


def test_a_group_that_nobody_has_asked_for_in_two_weeks_ends_whatever_is_read_anew_meanwhile() -> None:
    world = World(pool_idle_time=300)
    world.up()
    for day in range(14):
        assert world.serving(), day
        world.step(world.pool.configure, world.server, 2 + day, {"app"})
        world.advance(86_400)
    world.advance(1)
    assert not world.serving()
    assert world.effects_of(effects.LogLine)[-1].text == "app ends, no request has come for it in a long time: app"


def test_a_conflict_within_one_configuration_is_told_once() -> None:
    world = World()
    world.register(start_timeout=50)
    world.register(start_timeout=60)
    world.register(start_timeout=60)
    said = [effect.text for effect in world.effects_of(effects.LogLine) if effect.number == 3501]
    assert len(said) == 1
    assert "PassengerStartTimeout differs" in said[0]


def test_a_worker_that_has_become_busy_since_the_last_sample_is_not_taken_from_its_app() -> None:
    world = World(max_pool_size=1)
    world.up("one")
    world.sample("one", busy=False)
    world.is_busy = lambda process: process.key == "one"
    load_two(world)
    assert len(world.serving("one")) == 1
    assert not world.processes("two", ProcessKind.WORKER)


def test_no_app_gives_a_worker_up_for_one_that_has_yet_to_load() -> None:
    world = World(max_pool_size=1)
    world.up("one")
    world.register("two")
    world.request("two")
    assert world.serving("one")
    preloader = world.processes("two")[0]
    world.come_up(preloader)
    world.fail(preloader)
    assert world.serving("one")


def test_a_smaller_pool_retires_idle_workers_and_busy_ones_when_they_are_idle() -> None:
    world = World(max_pool_size=4)
    world.up("one", min_instances=2)
    world.up("two", min_instances=2)
    world.sample("one", busy=True)
    world.step(world.pool.configure, dataclasses.replace(world.server, max_pool_size=1), 1, set())
    world.sample("two")
    assert not world.serving("two")
    world.sample("one")
    assert len(world.serving("one")) == 1


def test_room_that_was_made_for_an_app_without_workers_is_taken_by_that_app() -> None:
    world = World(max_pool_size=2)
    world.up("one")
    world.register("two", min_instances=2)
    world.request("two")
    world.all_up("two")
    world.register("three")
    world.request("three")
    world.all_up("three")
    assert len(world.serving("three")) == 1
    assert sum(len(world.serving(key)) for key in ("one", "two", "three")) == 2


def test_a_preloader_that_does_not_fork_is_replaced() -> None:
    world = World()
    world.up(min_instances=2)
    unresponsive = world.processes(kind=ProcessKind.PRELOADER)[0]
    world.exit(world.serving()[0], 9)
    world.advance(world.pool.groups["app"].registration.options.start_timeout)
    assert unresponsive.process_id in [effect.process_id for effect in world.effects_of(effects.Kill)]
    world.exit(unresponsive, 9)
    world.advance(60.0)
    world.all_up()
    assert len(world.serving()) == 2


def test_a_worker_that_was_forked_and_hangs_is_killed_and_its_preloader_goes_on() -> None:
    world = World()
    world.up(min_instances=2)
    preloader = world.processes(kind=ProcessKind.PRELOADER)[0]
    world.exit(world.serving()[0], 9)
    hanging = world.starting()
    world.step(world.pool.process_forked, hanging.process_id, 77)
    assert (hanging.pid, hanging.state) == (77, ProcessState.SPAWNED)
    world.advance(world.pool.groups["app"].registration.options.start_timeout)
    assert [effect.process_id for effect in world.effects_of(effects.Kill)] == [hanging.process_id]
    failure = world.pool.groups["app"].backoff.failure
    assert failure is not None
    assert (failure.step, failure.summary) == ("fork a worker", "not up within 90 s (PassengerStartTimeout)")
    world.advance(60.0)
    world.all_up()
    assert len(world.serving()) == 2
    assert preloader in world.processes()


def test_a_worker_that_has_said_hello_is_not_named_by_another() -> None:
    world = World()
    world.up()
    with pytest.raises(IllegalTransition):
        world.pool.process_forked(world.serving()[0].process_id, 77, world.now)


def test_an_app_adopted_while_it_starts_has_as_many_workers_as_are_to_be_kept() -> None:
    world = World()
    world.register(min_instances=3)
    world.request()
    world.adopt_all(lambda number, process: True)
    world.all_up()
    assert len(world.serving()) == 3


def test_an_app_that_waits_for_place_gets_it_as_soon_as_a_look_shows_an_idle_worker() -> None:
    world = World(max_pool_size=1)
    world.up("one")
    world.sample("one", busy=True)
    load_two(world)
    assert not world.processes("two", ProcessKind.WORKER)
    world.sample("one", busy=False)
    assert world.processes("two", ProcessKind.WORKER)
