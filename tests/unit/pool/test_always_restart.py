"""With tmp/always_restart.txt each request gets a process that has loaded the code of that moment."""

from __future__ import annotations

from spawner.pool import effects
from spawner.pool.process import Process
from spawner.pool.states import GroupState, ProcessKind
from tests.unit.pool.world import World


def switch(world: World, on: bool) -> None:
    """The file is made, or removed."""
    world.step(world.pool.set_always_restart, "app", on)


def serve(world: World, process: Process) -> None:
    """A process comes up, serves its request and ends."""
    while not process.serving:
        world.come_up(process)
    world.step(world.pool.max_requests_reached, process.process_id)
    world.exit(process)


def cold(world: World) -> None:
    """The app is registered, and restarts always."""
    world.register(min_instances=3)
    switch(world, True)


def test_a_request_starts_one_direct_process_that_serves_once() -> None:
    world = World()
    cold(world)
    world.request()
    starts = world.effects_of(effects.StartProcess)
    assert [(start.kind, start.single_request) for start in starts] == [(ProcessKind.DIRECT, True)]


def test_after_its_request_nothing_is_kept_and_the_next_request_starts_another() -> None:
    world = World()
    cold(world)
    for number in (1, 2, 3):
        world.request()
        serve(world, world.starting())
        assert world.pool.groups["app"].state is GroupState.COLD
        assert len(world.effects_of(effects.StartProcess)) == number
        assert not world.processes()


def test_more_come_while_more_wait() -> None:
    world = World()
    cold(world)
    world.request()
    first = world.starting()
    while not first.serving:
        world.come_up(first)
    for _ in range(2):
        world.look({first.process_id: 1}, waiting=True)
    second = world.starting()
    assert second.single_request
    serve(world, first)
    serve(world, second)
    assert world.pool.groups["app"].state is GroupState.COLD


def test_what_was_kept_goes_when_the_file_comes() -> None:
    world = World()
    world.up(min_instances=2)
    switch(world, True)
    assert all(process.retiring for process in world.processes())
    world.all_up()
    assert world.pool.groups["app"].state is GroupState.COLD


def test_a_start_that_is_under_way_when_the_file_comes_is_ended() -> None:
    world = World()
    world.register()
    world.request()
    switch(world, True)
    assert world.pool.groups["app"].state is GroupState.COLD
    world.request()
    assert world.starting().single_request


def test_a_restart_that_is_under_way_when_the_file_comes_is_answered() -> None:
    world = World()
    world.up()
    world.restart()
    switch(world, True)
    world.all_up()
    assert world.effects_of(effects.Progress)[-1].stage == "completed"


def test_processes_are_kept_again_when_the_file_goes() -> None:
    world = World()
    cold(world)
    world.request()
    first = world.starting()
    switch(world, False)
    serve(world, first)
    world.all_up()
    assert len(world.serving()) == 3
    assert not any(process.single_request for process in world.serving())


def test_a_process_whose_request_does_not_come_goes_soon() -> None:
    world = World()
    cold(world)
    world.request()
    process = world.starting()
    while not process.serving:
        world.come_up(process)
    world.advance(2.1)
    world.all_up()
    assert not world.processes()
    assert world.pool.groups["app"].state is GroupState.COLD


def test_a_failed_start_is_answered_and_the_next_request_tries_at_once() -> None:
    world = World()
    cold(world)
    world.request()
    found = world.fail(world.starting())
    assert any(isinstance(effect, effects.FailWaiting) for effect in found)
    world.request()
    assert world.starting().single_request


def test_a_failed_start_beside_a_process_that_serves_is_not_tried_over_and_over() -> None:
    world = World()
    cold(world)
    world.request()
    first = world.starting()
    while not first.serving:
        world.come_up(first)
    for _ in range(2):
        world.look({first.process_id: 1}, waiting=True)
    world.fail(world.starting())
    assert not world.starting_or_none()


def test_a_process_that_is_killed_is_not_replaced() -> None:
    world = World()
    cold(world)
    world.request()
    process = world.starting()
    while not process.serving:
        world.come_up(process)
    world.exit(process, 9)
    assert not world.processes()


def test_a_restart_ends_what_serves_and_starts_nothing() -> None:
    world = World()
    cold(world)
    world.request()
    world.restart()
    world.all_up()
    assert not world.processes()
    assert world.effects_of(effects.Progress)[-1].stage == "completed"


def test_who_waits_for_a_restart_hears_whether_the_code_loads() -> None:
    world = World()
    cold(world)
    world.restart(start_if_cold=True)
    assert world.starting().single_request
    world.fail(world.starting())
    assert world.effects_of(effects.Progress)[-1].stage == "failed"


def test_it_outlives_the_spawner() -> None:
    world = World()
    cold(world)
    world.request()
    world.adopt_all(lambda number, process: True)
    serve(world, world.starting())
    assert not world.processes()
    world.request()
    assert world.starting().single_request


def test_whoever_waits_for_a_restart_that_waits_hears_of_it_when_the_file_comes() -> None:
    world = World()
    world.register()
    world.restart(start_if_cold=True)
    for _ in range(3):
        world.restart()
    generation = world.restart()
    assert world.pool.groups["app"].release.queued is not None
    world.step(world.pool.set_always_restart, "app", True)
    world.all_up()
    told = [progress for progress in world.effects_of(effects.Progress) if progress.generation == generation]
    assert told[-1].stage == "completed"
