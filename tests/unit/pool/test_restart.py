"""How a restart brings the new code in."""

from __future__ import annotations

import pytest

from spawner.pool import effects
from spawner.pool.process import Process
from spawner.pool.states import GroupState, ProcessKind, ProcessState
from tests.unit.pool.world import World


def living(world: World) -> int:
    """Workers that take memory, retiring ones too."""
    return len([process for process in world.processes() if process.is_worker])


def starting(world: World) -> Process:
    """The process that is on its way up."""
    return next(process for process in world.processes() if process.starting)


def restart(world: World) -> None:
    """Touch the restart file."""
    world.step(world.pool.restart, "app")


def load_next(world: World) -> None:
    """Bring the next generation's preloader up."""
    restart(world)
    for _ in range(2):
        world.come_up(starting(world))


def test_the_old_workers_serve_while_the_new_generation_loads() -> None:
    world = World()
    world.up(min_instances=2)
    restart(world)
    assert [process.generation for process in world.serving()] == [1, 1]


def test_a_restart_replaces_every_worker_and_the_preloader() -> None:
    world = World()
    world.up(min_instances=3)
    restart(world)
    world.all_up()
    assert {process.generation for process in world.processes()} == {2}
    assert len(world.serving()) == 3
    assert world.pool.groups["app"].state is GroupState.SERVING


def test_there_is_never_more_than_one_worker_above_the_target() -> None:
    world = World(max_pool_size=3)
    world.up(min_instances=3)
    restart(world)
    most = 0
    while world.pool.groups["app"].state is GroupState.RESTARTING:
        most = max(most, living(world))
        moving = [process for process in world.processes() if process.starting or process.retiring]
        world.come_up(moving[0]) if moving[0].starting else world.exit(moving[0])
    assert most == 4


def test_no_worker_is_told_to_go_before_a_new_one_accepts() -> None:
    world = World()
    world.up(min_instances=2)
    load_next(world)
    world.come_up(starting(world))
    assert not world.effects_of(effects.Retire)
    world.come_up(starting(world))
    assert world.effects_of(effects.Retire)


def test_a_release_that_cannot_load_leaves_the_old_one_serving_and_says_so() -> None:
    world = World()
    world.up(min_instances=2)
    restart(world)
    found = world.fail(starting(world))
    assert [process.generation for process in world.serving()] == [1, 1]
    assert not any(isinstance(effect, effects.FailWaiting) for effect in found)
    assert any(isinstance(effect, effects.LogLine) and "continues to serve" in effect.text for effect in found)
    assert world.pool.groups["app"].state is GroupState.SERVING
    assert world.pool.groups["app"].backoff.failure is not None


def test_the_mended_release_comes_in_with_the_next_touch_and_clears_the_failure() -> None:
    world = World()
    world.up()
    restart(world)
    world.fail(starting(world))
    restart(world)
    world.all_up()
    assert [process.generation for process in world.serving()] == [3]
    assert world.pool.groups["app"].backoff.failure is None


def test_a_touch_during_a_restart_starts_over_with_the_newest_code() -> None:
    world = World()
    world.up(min_instances=2)
    load_next(world)
    restart(world)
    world.all_up()
    assert {process.generation for process in world.processes()} == {3}


def test_a_touch_half_way_through_the_replacement_starts_over_too() -> None:
    world = World()
    world.up(min_instances=2)
    load_next(world)
    world.come_up(starting(world))
    world.come_up(starting(world))
    assert {process.generation for process in world.serving()} == {1, 2}
    restart(world)
    world.all_up()
    assert {process.generation for process in world.processes()} == {3}
    assert len(world.serving()) == 2


def test_a_worker_lost_while_the_new_generation_loads_is_replaced_from_the_old_preloader() -> None:
    world = World()
    world.up(min_instances=2)
    restart(world)
    world.exit(world.serving()[0], 9)
    assert world.effects_of(effects.ForkWorker)[-1].generation == 1


def test_a_restart_goes_on_past_a_worker_that_does_not_end_after_a_while() -> None:
    world = World()
    world.up(min_instances=2)
    load_next(world)
    world.come_up(starting(world))
    world.come_up(starting(world))
    stuck = next(process for process in world.processes() if process.retiring)
    world.look({stuck.process_id: 1})
    world.advance(2.1)
    world.come_up(starting(world))
    world.come_up(starting(world))
    assert [process.generation for process in world.serving()] == [2, 2]
    assert world.pool.groups["app"].state is GroupState.RESTARTING


def test_a_restart_is_complete_only_when_the_last_old_worker_has_gone() -> None:
    world = World()
    world.up()
    load_next(world)
    world.come_up(starting(world))
    world.come_up(starting(world))
    old = next(process for process in world.processes(kind=ProcessKind.WORKER) if process.retiring)
    assert world.pool.groups["app"].state.value == "restarting"
    world.exit(old)
    assert world.pool.groups["app"].state.value == "serving"


def test_without_rolling_restarts_every_old_worker_goes_at_once() -> None:
    world = World()
    world.up(min_instances=2, rolling_restarts=False)
    restart(world)
    assert not world.serving()
    world.all_up()
    assert [process.generation for process in world.serving()] == [2, 2]


def test_a_cold_app_loads_the_newest_code_with_its_next_request() -> None:
    world = World()
    world.register()
    restart(world)
    world.request()
    assert world.effects_of(effects.StartProcess)[0].generation == 2


def test_direct_workers_are_replaced_one_by_one() -> None:
    world = World()
    world.up(spawn_method="direct", min_instances=2)
    restart(world)
    assert len([process for process in world.processes() if process.starting]) == 1
    world.all_up()
    assert [process.generation for process in world.serving()] == [2, 2]


def test_restarts_in_a_full_pool_that_has_no_room_for_one_more_go_on_all_the_same() -> None:
    world = World(max_pool_size=2)
    world.up("one")
    world.up("two")
    for key in ("one", "two"):
        world.step(world.pool.restart, key)
    loading = [process for process in world.pool.processes.values() if process.starting]
    for process in loading:
        world.come_up(process)
        world.come_up(process)
    for key in ("one", "two"):
        world.all_up(key)
    assert [process.generation for key in ("one", "two") for process in world.serving(key)] == [2, 2]


@pytest.mark.parametrize("most", [2, 10])
def test_a_restart_adopted_with_one_worker_too_many_comes_to_its_end(most: int) -> None:
    """The app has as many workers as before it, whether there is a place for one more or not."""
    world = World(max_pool_size=most)
    world.pool.adopt_group(world.registration("app", 1), 1, world.now)
    adopted = [(ProcessKind.PRELOADER, 2, None), (ProcessKind.WORKER, 1, 0), (ProcessKind.WORKER, 1, 1)]
    for kind, generation, slot in [*adopted, (ProcessKind.WORKER, 2, 2)]:
        process = Process(0, "app", kind, generation, world.now, slot, pid=next(world.pids))
        process.state = ProcessState.READY if kind is ProcessKind.PRELOADER else ProcessState.SERVING
        world.pool.adopt_process(process)
    world.step(world.pool.adoption_complete)
    world.all_up()
    assert [process.generation for process in world.serving()] == [2, 2]
    assert world.pool.groups["app"].sizing.target == 2


def test_an_app_that_is_touched_more_often_than_it_takes_to_load_comes_up_all_the_same() -> None:
    world = World()
    world.up()
    for _ in range(5):
        restart(world)
        world.come_up(starting(world))  # it loads, and the next touch comes before it has
    world.come_up(starting(world))
    world.come_up(starting(world))
    assert world.pool.groups["app"].release.current == 5  # the fourth in a row was allowed to finish
    world.all_up()
    assert {process.generation for process in world.processes()} == {6}, "the last touch brings the newest code"
    assert world.pool.groups["app"].state is GroupState.SERVING


def test_touches_while_the_app_starts_first_do_not_keep_it_from_coming_up_either() -> None:
    world = World()
    world.register()
    world.request()
    for _ in range(4):
        world.come_up(starting(world))
        restart(world)
    for _ in range(3):
        world.come_up(starting(world))
    assert world.serving()
    world.all_up()
    assert [process.generation for process in world.serving()] == [5]


def test_a_restart_that_was_put_off_comes_when_what_was_loading_fails() -> None:
    world = World()
    world.up()
    for _ in range(5):
        restart(world)
        world.come_up(starting(world))
    world.fail(starting(world))
    world.all_up()
    assert [process.generation for process in world.serving()] == [6]
    assert world.pool.groups["app"].backoff.failure is None


def test_what_loads_outdated_code_is_told_to_end_and_killed_if_it_does_not() -> None:
    world = World()
    world.up()
    restart(world)
    outdated = starting(world)
    restart(world)
    assert [effect.process_id for effect in world.effects_of(effects.Terminate)] == [outdated.process_id]
    assert not world.effects_of(effects.Kill)
    world.advance(3.1)
    assert [effect.process_id for effect in world.effects_of(effects.Kill)] == [outdated.process_id]


def test_a_worker_of_the_old_release_does_not_make_the_failure_of_the_new_one_forgotten() -> None:
    world = World()
    world.up(min_instances=2)
    restart(world)
    world.fail(starting(world))
    world.exit(world.serving()[0], 9)
    world.now += 2
    world.step(world.pool.tick)
    world.all_up()
    assert len(world.serving()) == 2
    assert world.pool.groups["app"].backoff.failure is not None


def test_an_app_that_has_lost_every_worker_in_a_restart_does_not_wait_for_those_that_go() -> None:
    world = World()
    world.up(min_instances=2)
    world.sample()
    world.pool.groups["app"].sizing.limit(1)
    world.restart()
    for process in world.serving():
        world.step(world.pool.detach_process, process.process_id)
    assert any(process.starting and process.is_worker for process in world.processes()), "forked from the old preloader"


def test_a_worker_that_was_to_end_before_it_came_up_may_finish_what_it_has_taken() -> None:
    world = World()
    world.up()
    restart(world)
    while starting(world).state is not ProcessState.BOOTING:
        world.come_up(starting(world))
    outdated = starting(world)
    restart(world)
    assert outdated.process_id in [effect.process_id for effect in world.effects_of(effects.Terminate)]
    world.come_up(outdated)
    world.advance(3.1)
    assert outdated.process_id not in [effect.process_id for effect in world.effects_of(effects.Kill)]


def test_a_worker_too_many_that_a_restart_in_a_full_pool_leaves_goes_when_one_is_idle() -> None:
    world = World(max_pool_size=2)
    world.up("app", spawn_method="direct")
    world.up("other")
    for _ in range(2):
        world.sample("app", busy=True, waiting=True)  # it is to have one more, and there is no place for it
    world.restart("app")
    world.all_up("app")
    assert [process.generation for process in world.serving("app")] == [2, 2]
    world.is_busy = lambda process: True
    world.sample("app")
    assert world.pool.worker_count == 3
    world.is_busy = lambda process: False
    world.sample("app")
    assert world.pool.worker_count == 2


def test_a_restart_whose_workers_all_die_is_not_complete_before_one_serves() -> None:
    world = World()
    world.up(min_instances=2)
    world.restart()
    while not any(process.generation == 2 for process in world.serving()):
        world.come_up(world.starting())
    world.seen.clear()
    workers = [process for process in world.processes() if process.serving or process.retiring]
    for process in sorted(workers, key=lambda one: (-one.generation, one.serving)):
        world.exit(process, 9)
    assert "completed" not in [step.stage for step in world.effects_of(effects.Progress)]
    world.all_up()
    assert [step.stage for step in world.effects_of(effects.Progress)][-1] == "completed"
    assert [process.generation for process in world.serving()] == [2, 2]
