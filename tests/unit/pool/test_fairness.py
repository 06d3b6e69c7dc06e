"""Who gets a place or a start when there are not enough: no app keeps the others out."""

from __future__ import annotations

from spawner.pool import effects
from tests.unit.pool.world import World


def started(world: World) -> list[str]:
    """The apps whose interpreters were started, in order."""
    return [start.key for start in world.effects_of(effects.StartProcess)]


def test_apps_that_hang_at_boot_do_not_keep_others_from_starting_for_more_than_some_seconds() -> None:
    world = World(max_pool_size=10)
    for key in ("hangs", "hangs too", "good"):
        world.register(key, start_timeout=90)
        world.request(key)
    assert started(world) == ["hangs", "hangs too"]
    assert world.pool.next_deadline() == world.now + 10
    world.advance(10)
    assert started(world) == ["hangs", "hangs too", "good"]
    world.all_up("good")
    assert world.serving("good")


def test_a_slow_start_may_still_come_up_and_is_still_ended_at_its_time_limit() -> None:
    world = World()
    world.register(start_timeout=90)
    world.request()
    world.advance(10)
    assert not world.effects_of(effects.Kill)
    world.advance(79.9)
    assert not world.effects_of(effects.Kill)
    world.advance(0.1)
    assert world.effects_of(effects.Kill)


def test_starts_are_given_in_the_order_of_asking() -> None:
    world = World(max_pool_size=20)
    keys = ["a", "b", "c", "d", "e", "f"]
    for key in keys:
        world.register(key)
    for key in keys:
        world.request(key)
    for key in keys:
        world.all_up(key)
    assert started(world) == keys


def test_an_app_that_wants_many_processes_lets_others_in_between() -> None:
    world = World(max_pool_size=20)
    world.register("many", spawn_method="direct", min_instances=6)
    world.request("many")
    world.register("one", spawn_method="direct")
    world.request("one")
    for process in world.processes("many"):
        while process.starting:
            world.come_up(process)
    assert started(world) == ["many", "many", "many", "one"], "the third had been asked for before"


def test_places_are_given_in_the_order_of_asking() -> None:
    world = World(max_pool_size=1)
    world.up("busy")
    world.sample("busy", busy=True)
    for key in ("b", "a", "c"):
        world.register(key)
        world.request(key)
        for _ in range(2):
            world.come_up(world.processes(key)[0])
    for last in ("busy", "b", "a"):  # whoever has the place becomes idle
        world.sample(last, busy=False)
        for key in ("b", "a", "c"):
            world.all_up(key)
    assert [fork.key for fork in world.effects_of(effects.ForkWorker)] == ["busy", "b", "a", "c"]


def test_each_of_many_apps_is_served_in_a_pool_that_is_much_smaller() -> None:
    world = World(max_pool_size=3)
    keys = ["app %d" % number for number in range(30)]
    for key in keys:
        world.up(key)
        world.now += 1
        assert world.serving(key), key
        assert world.pool.worker_count <= 3
    gone = [key for key in keys if not world.serving(key)]
    assert gone == keys[:27], "the place was taken from whoever had been idle for longest"


def test_an_app_without_worker_gets_a_place_from_a_busy_app_with_several_after_some_seconds() -> None:
    world = World(max_pool_size=3)
    world.up("hot", min_instances=3)
    world.register("cold")
    world.sample("hot", busy=True)
    world.request("cold")
    for _ in range(2):
        world.come_up(world.processes("cold")[0])
    world.advance(4.9)
    assert len(world.serving("hot")) == 3
    world.advance(0.2)
    assert len(world.serving("hot")) == 2
    world.all_up("cold")
    assert len(world.serving("cold")) == 1
    for _ in range(4):
        world.sample("hot", busy=True, waiting=True)
    assert len(world.pool.groups["hot"].active_workers()) == 2, "it does not take the place back"


def test_an_app_keeps_its_last_worker_while_it_is_in_a_request() -> None:
    world = World(max_pool_size=2)
    world.up("one")
    world.up("two")
    for key in ("one", "two"):
        world.sample(key, busy=True)
    world.register("three")
    world.request("three")
    for _ in range(2):
        world.come_up(world.processes("three")[0])
    world.advance(6)
    world.advance(1000)
    assert world.serving("one")
    assert world.serving("two")
    assert world.pool.snapshot(world.now)["groups"][2]["waits_for_place"]
    world.sample("two", busy=False)
    world.all_up("three")
    assert world.serving("three")


def test_an_app_with_a_pinned_release_gives_its_workers_up_last() -> None:
    world = World(max_pool_size=2)
    world.up("old")
    world.now += 5
    world.up("other")
    world.restart("old")
    world.fail(world.starting("old"))
    world.all_up("old")
    world.now += 5
    world.up("third")
    assert world.serving("old")
    assert not world.serving("other")


def test_an_app_that_keeps_failing_is_tried_at_ever_longer_intervals() -> None:
    world = World()
    world.register()
    waits = []
    for _ in range(7):
        world.request()
        world.fail(world.starting())
        group = world.pool.groups["app"]
        waits.append(group.backoff.retry_at - world.now)
        world.now = group.backoff.retry_at
    assert waits == [1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 60.0]


def test_a_group_grows_when_every_worker_has_as_many_requests_as_it_can_take() -> None:
    world = World()
    world.up(concurrency_model="thread", thread_count=4)
    worker = world.serving()[0].process_id
    for _ in range(4):
        world.look({worker: 3}, waiting=True, capacity=4)
    assert len(world.pool.groups["app"].active_workers()) == 1
    for _ in range(2):
        world.look({worker: 4}, waiting=True, capacity=4)
    assert len(world.pool.groups["app"].active_workers()) == 2


def test_a_worker_with_one_request_of_many_that_it_can_take_is_not_idle() -> None:
    world = World(pool_idle_time=100)
    world.up(min_instances=0)
    worker = world.serving()[0].process_id
    world.look({worker: 1}, capacity=4)
    world.advance(1000)
    assert world.serving()
    world.look({worker: 0}, capacity=4)
    world.advance(1000)
    assert not world.serving()


def test_an_idle_worker_at_its_request_limit_that_gives_its_place_up_takes_its_replacement_along() -> None:
    world = World(max_pool_size=1)
    world.up("one", spawn_method="direct")
    world.step(world.pool.max_requests_reached, world.serving("one")[0].process_id)
    replacement = world.starting("one")
    world.register("two", spawn_method="direct")
    world.request("two")
    assert replacement.retiring
    assert world.pool.worker_count == 1
    assert world.starting("two").active
