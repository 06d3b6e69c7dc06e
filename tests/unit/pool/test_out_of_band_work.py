"""Out-of-band work: one worker of an app at a time, and another one serves meanwhile."""

from __future__ import annotations

from spawner.pool import effects
from spawner.pool.process import Process
from tests.unit.pool.world import World


def ask(world: World, process: Process) -> list[int]:
    """A worker asks for it: who was told to begin."""
    return granted(world.step(world.pool.work_requested, process.process_id))


def granted(found: list[effects.Effect]) -> list[int]:
    return [effect.process_id for effect in found if isinstance(effect, effects.DoOutOfBandWork)]


def test_a_worker_works_while_another_one_serves() -> None:
    world = World()
    world.up(min_instances=2)
    worker = world.serving()[0]
    assert ask(world, worker) == [worker.process_id]


def test_the_next_one_has_its_turn_when_the_first_has_done() -> None:
    world = World()
    world.up(min_instances=3)
    first, second, third = world.serving()
    assert ask(world, first) == [first.process_id]
    world.now += 1
    assert ask(world, third) == []
    world.now += 1
    assert ask(world, second) == []
    assert granted(world.step(world.pool.work_done, first.process_id)) == [third.process_id], "it has asked before"


def test_the_next_one_has_its_turn_when_the_first_is_lost() -> None:
    world = World()
    world.up(min_instances=3)
    first, second, _ = world.serving()
    ask(world, first)
    ask(world, second)
    world.exit(first, 9)
    assert granted(world.sample()) == [second.process_id]


def test_one_more_worker_comes_for_a_worker_that_is_alone() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    assert ask(world, worker) == []
    other = world.starting()
    world.come_up(other)
    world.come_up(other)
    assert granted(world.seen) == [worker.process_id]


def test_a_worker_that_must_be_alone_works_when_it_is_idle() -> None:
    world = World()
    world.up(max_instances=1)
    worker = world.serving()[0]
    world.sample(busy=True)
    assert ask(world, worker) == []
    assert granted(world.sample(busy=True)) == []
    assert granted(world.sample(busy=False)) == [worker.process_id]


def test_a_worker_for_which_no_other_finds_room_works_at_last_when_it_is_idle() -> None:
    world = World(max_pool_size=2)
    world.up("app")
    world.up("other")
    worker = world.serving("app")[0]
    assert ask(world, worker) == []
    world.now += 61
    assert granted(world.sample("app")) == [worker.process_id]


def test_a_worker_at_work_counts_as_full_and_is_not_idle() -> None:
    world = World(pool_idle_time=100)
    world.up(min_instances=0)
    for _ in range(2):
        world.sample(busy=True, waiting=True)
    world.all_up()
    first, second = world.serving()
    world.look({first.process_id: 0, second.process_id: 0})
    ask(world, first)
    for _ in range(2):
        world.look({first.process_id: 0, second.process_id: 1}, waiting=True)
    world.all_up()
    assert len(world.serving()) == 3
    world.look({process.process_id: 0 for process in world.serving()})
    world.advance(500)
    assert first.serving


def test_a_worker_at_work_is_not_taken_for_another_app() -> None:
    world = World(max_pool_size=2)
    world.up("app", min_instances=2)
    first, second = world.serving("app")
    ask(world, first)
    world.is_busy = lambda process: process.running > 0  # it has no request
    world.up("other")
    assert first.serving
    assert second.retiring


def test_a_wish_outlives_the_spawner() -> None:
    world = World()
    world.up(min_instances=2)
    first, second = world.serving()
    ask(world, first)
    ask(world, second)
    world.adopt_all(lambda number, process: True)
    assert granted(world.sample()) == []
    working = next(process for process in world.serving() if process.work_granted_at)
    waiting = next(process for process in world.serving() if not process.work_granted_at)
    assert granted(world.step(world.pool.work_done, working.process_id)) == [waiting.process_id]


def test_a_retired_worker_that_hangs_in_its_work_is_killed_after_a_while() -> None:
    world = World()
    world.up(min_instances=2)
    worker = world.serving()[0]
    ask(world, worker)
    world.step(world.pool.detach_process, worker.process_id)
    world.advance(61)
    assert [effect.process_id for effect in world.effects_of(effects.Kill)] == [worker.process_id]


def test_work_that_is_not_done_in_ten_minutes_costs_its_worker_the_turn_and_the_place() -> None:
    world = World()
    world.up(min_instances=2)
    first, second = world.serving()
    ask(world, first)
    world.advance(300.0)
    ask(world, second)
    found = world.advance(299.0)
    assert granted(found) == []
    found = world.advance(1.5)
    assert first.retiring
    assert [effect.process_id for effect in found if isinstance(effect, effects.DumpStacks)] == [first.process_id]
    assert world.starting_or_none() is not None, "another worker takes its place"
    world.come_up(world.starting())
    world.come_up(world.starting())
    assert granted(world.seen)[-1] == second.process_id
    assert [effect.process_id for effect in world.advance(61.0) if isinstance(effect, effects.Kill)] == [
        first.process_id
    ]


def test_work_that_an_earlier_spawner_has_ordered_has_ten_minutes_too() -> None:
    world = World()
    world.up(min_instances=2)
    ask(world, world.serving()[0])
    world.adopt_all(lambda number, process: True)
    (working,) = [process for process in world.serving() if process.working]
    world.advance(601.0)
    assert working.retiring
