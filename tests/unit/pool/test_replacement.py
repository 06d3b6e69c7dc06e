"""Workers that reach their request limit, grow too large, or are taken out: another one comes, and none too many."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spawner.app_types import APP_TYPES
from spawner.pool import effects
from spawner.pool.process import OverdueRequest, Process, Reading
from spawner.pool.states import GroupState, ProcessKind, ProcessState
from tests.unit.pool.world import World


def reach_request_limit(world: World, process: Process) -> list[effects.Effect]:
    """The worker says that it has served its requests."""
    return world.step(world.pool.max_requests_reached, process.process_id)


def serve_one(world: World) -> None:
    """Every worker serves a request."""
    world.sample(busy=True)
    world.sample(busy=False)


def retired(found: list[effects.Effect]) -> list[int]:
    """Who was told to go."""
    return [effect.process_id for effect in found if isinstance(effect, effects.Retire)]


def names(found: list[effects.Effect]) -> list[str]:
    """The names of effects, log lines and hooks left out."""
    return [type(effect).__name__ for effect in found if not isinstance(effect, (effects.LogLine, effects.RunHook))]


def test_a_worker_at_its_request_limit_goes_at_once_and_another_is_forked_at_once() -> None:
    world = World(max_pool_size=1)
    world.up(max_requests=10)
    assert names(reach_request_limit(world, world.serving()[0])) == ["Retire", "ForkWorker"]
    world.all_up()
    assert len(world.serving()) == 1


def test_a_worker_that_says_twice_that_it_has_reached_its_request_limit_is_replaced_once() -> None:
    world = World()
    world.up(max_requests=10)
    worker = world.serving()[0]
    reach_request_limit(world, worker)
    assert names(reach_request_limit(world, worker)) == []


def test_a_worker_at_its_request_limit_with_direct_spawning_serves_until_its_replacement_does() -> None:
    world = World(max_pool_size=1)
    world.up(spawn_method="direct", max_requests=10)
    old = world.serving()[0]
    assert names(reach_request_limit(world, old)) == ["StartProcess"]
    new = next(process for process in world.processes() if process.starting)
    world.come_up(new)
    world.come_up(new)
    assert old.serving
    world.come_up(new)
    assert [process.process_id for process in world.serving()] == [new.process_id]


def test_workers_at_their_request_limit_with_direct_spawning_are_replaced_one_after_the_other() -> None:
    world = World()
    world.up(spawn_method="direct", max_requests=10, min_instances=3)
    old = world.serving()
    for worker in old:
        reach_request_limit(world, worker)
    most = 0
    while any(worker.process_id in world.pool.processes for worker in old):
        living = world.processes()
        most = max(most, sum(process.active for process in living))
        moving = next(process for process in living if process.starting or process.retiring)
        world.come_up(moving) if moving.starting else world.exit(moving)
    assert most == 4
    assert len(world.serving()) == 3


def test_a_replacement_that_does_not_start_leaves_the_old_worker_serving_and_is_tried_again() -> None:
    world = World()
    world.up(spawn_method="direct", max_requests=10)
    old = world.serving()[0]
    reach_request_limit(world, old)
    world.fail(next(process for process in world.processes() if process.starting))
    assert old.serving
    assert not [process for process in world.processes() if process.starting]
    world.advance(1.1)
    world.all_up()
    assert [process.process_id for process in world.serving()] != [old.process_id]


def test_a_preloader_stays_while_workers_reach_their_request_limit() -> None:
    world = World()
    world.up(max_requests=10, max_preloader_idle_time=100)
    world.advance(1000)
    assert [preloader.state for preloader in world.processes(kind=ProcessKind.PRELOADER)] == [ProcessState.READY]


def test_a_worker_at_its_request_limit_whose_preloader_is_gone_is_replaced_through_a_new_one() -> None:
    world = World()
    world.up(max_requests=10)
    world.exit(world.processes(kind=ProcessKind.PRELOADER)[0], 9)
    found = reach_request_limit(world, world.serving()[0])
    assert names(found) == ["Retire", "StartProcess"], "it takes no more requests: it has no reason to stay"
    world.all_up()
    assert len(world.serving()) == 1


def test_a_worker_at_its_request_limit_of_a_release_that_is_being_replaced_is_replaced_from_the_old_preloader() -> None:
    world = World()
    world.up(max_requests=10)
    world.step(world.pool.restart, "app")
    found = reach_request_limit(world, world.serving()[0])
    assert [effect.generation for effect in found if isinstance(effect, effects.ForkWorker)] == [1]


def test_a_worker_above_the_memory_limit_is_told_to_finish_and_another_is_forked() -> None:
    world = World()
    world.up(memory_limit=100)
    worker = world.serving()[0]
    serve_one(world)
    found = world.measure([(worker, 101)])
    assert retired(found) == [worker.process_id]
    assert not any(isinstance(effect, effects.Kill) for effect in found)
    assert "101 MB" in next(effect.text for effect in found if isinstance(effect, effects.LogLine))


def test_a_worker_at_the_memory_limit_stays() -> None:
    world = World()
    world.up(memory_limit=100)
    worker = world.serving()[0]
    serve_one(world)
    assert not retired(world.measure([(worker, 100)]))


def test_an_app_that_is_larger_than_its_limit_from_the_start_is_not_replaced_over_and_over() -> None:
    world = World()
    world.up(memory_limit=100)
    worker = world.serving()[0]
    said = [effect for effect in world.measure([(worker, 150)]) if isinstance(effect, effects.LogLine)]
    assert "is too small for the app" in said[0].text
    assert not world.measure([(worker, 150)])
    assert worker.serving


def test_a_worker_above_the_hard_memory_limit_is_killed_at_once_and_the_figure_is_said() -> None:
    world = World()
    world.up(hard_memory_limit=200)
    worker = world.serving()[0]
    world.sample(busy=True)
    found = world.measure([(worker, 250)])
    kill = next(effect for effect in found if isinstance(effect, effects.Kill))
    assert kill.process_id == worker.process_id
    (line,) = [effect for effect in found if isinstance(effect, effects.LogLine)]
    assert "250 MB of memory, more than PassengerHardMemoryLimit 200" in line.text
    assert not kill.reason, "it is told once"
    said = world.exit(worker, 9)
    assert not any("unexpectedly" in effect.text for effect in said if isinstance(effect, effects.LogLine))
    world.all_up()
    assert len(world.serving()) == 1


def test_a_worker_is_killed_once_for_its_memory() -> None:
    world = World()
    world.up(hard_memory_limit=200)
    worker = world.serving()[0]
    world.measure([(worker, 250)])
    assert not world.measure([(worker, 260)])


def test_a_retiring_worker_is_held_to_the_hard_memory_limit_too() -> None:
    world = World()
    world.up(hard_memory_limit=200)
    worker = world.serving()[0]
    world.step(world.pool.detach_process, worker.process_id)
    assert any(isinstance(effect, effects.Kill) for effect in world.measure([(worker, 250)]))


def test_a_start_that_is_above_the_hard_memory_limit_has_failed() -> None:
    world = World()
    world.register(spawn_method="direct", hard_memory_limit=200)
    world.request()
    world.come_up(world.processes()[0])
    found = world.measure([(world.processes()[0], 250)])
    assert any(isinstance(effect, effects.FailWaiting) for effect in found)
    failure = world.pool.groups["app"].backoff.failure
    assert failure is not None
    assert "PassengerHardMemoryLimit" in failure.summary


def overdue(world: World) -> Process:
    """A worker with a request that takes too long, after the look that shows it."""
    world.up(min_instances=2)
    worker = world.serving()[0]
    world.look({worker.process_id: 1}, overdue=True)
    return worker


def test_an_overdue_worker_shows_its_stacks_before_it_is_told_to_end() -> None:
    world = World()
    worker = overdue(world)
    about = [effect for effect in world.seen if getattr(effect, "process_id", None) == worker.process_id]
    assert [type(effect).__name__ for effect in about[-3:]] == ["DumpStacks", "Retire", "Terminate"]
    assert world.hooks("max_request_time_reached") == [worker.pid]


def test_an_overdue_worker_is_replaced_before_it_has_ended() -> None:
    world = World(max_pool_size=2)
    overdue(world)
    assert len(world.pool.groups["app"].active_workers()) == 2


def test_an_overdue_worker_that_does_not_end_is_killed() -> None:
    world = World()
    worker = overdue(world)
    world.advance(4.9)
    assert not world.effects_of(effects.Kill)
    world.advance(0.2)
    assert [effect.process_id for effect in world.effects_of(effects.Kill)] == [worker.process_id]


def test_a_worker_is_told_once_that_it_is_overdue() -> None:
    world = World()
    worker = overdue(world)
    world.look({worker.process_id: 1}, overdue=True)
    assert len(world.effects_of(effects.DumpStacks)) == 1


def test_a_retiring_worker_whose_request_takes_too_long_ends_all_the_same() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    world.step(world.pool.detach_process, worker.process_id)
    world.look({worker.process_id: 1}, overdue=True)
    world.advance(5.1)
    assert [effect.process_id for effect in world.effects_of(effects.Kill)] == [worker.process_id]


@pytest.mark.parametrize("spawn_method", ["smart", "direct"])
def test_a_detached_worker_finishes_and_another_takes_its_place(spawn_method: str) -> None:
    world = World()
    world.up(spawn_method=spawn_method, min_instances=2)
    worker = world.serving()[0]
    assert retired(world.step(world.pool.detach_process, worker.process_id)) == [worker.process_id]
    assert world.step(world.pool.detach_process, worker.process_id) == []
    world.all_up()
    assert len(world.serving()) == 2


def test_a_worker_that_is_detached_while_it_comes_up_is_told_to_end_and_another_comes() -> None:
    world = World()
    world.register(spawn_method="direct")
    world.request()
    first = world.processes()[0]
    found = world.step(world.pool.detach_process, first.process_id)
    assert any(isinstance(effect, effects.Terminate) for effect in found)
    world.all_up()
    assert world.pool.groups["app"].state is GroupState.SERVING


def test_a_detached_preloader_comes_back_when_it_is_needed() -> None:
    world = World()
    world.up()
    world.step(world.pool.detach_process, world.processes(kind=ProcessKind.PRELOADER)[0].process_id)
    world.all_up()
    assert not world.processes(kind=ProcessKind.PRELOADER)
    for _ in range(2):
        world.sample(busy=True, waiting=True)
    world.all_up()
    assert len(world.serving()) == 2


@pytest.mark.parametrize("options", [{"spawn_method": "direct"}, {}])
def test_in_a_full_pool_a_worker_at_its_limit_is_replaced_with_one_more_at_most(options: dict[str, Any]) -> None:
    world = World(max_pool_size=2)
    world.up("one", max_requests=10, **options)
    world.up("two", max_requests=10, **options)
    for key in ("one", "two"):
        reach_request_limit(world, world.serving(key)[0])
    most = 0
    while any(process.starting or process.retiring for process in world.pool.processes.values()):
        most = max(most, world.pool.worker_count)
        moving = next(p for p in world.pool.processes.values() if p.starting or p.retiring)
        world.come_up(moving) if moving.starting else world.exit(moving)
    assert most <= 3
    assert [len(world.serving(key)) for key in ("one", "two")] == [1, 1]
    assert not any(process.max_requests_reached for process in world.pool.processes.values())


@pytest.mark.parametrize("method", ["smart", "direct"])
def test_an_adopted_worker_that_has_reached_its_request_limit_is_replaced(method: str) -> None:
    world = World()
    world.up(spawn_method=method, max_requests=10)
    world.serving()[0].max_requests_reached = True
    world.adopt_all(lambda number, process: True)
    assert [process.max_requests_reached for process in world.serving()] == ([] if method == "smart" else [True])
    world.all_up()
    assert [process.max_requests_reached for process in world.serving()] == [False]


def test_an_adopted_worker_that_was_told_to_end_for_its_time_is_killed_if_it_does_not() -> None:
    world = World()
    overdue(world)
    world.adopt_all(lambda number, process: True)
    worker = next(process for process in world.processes() if process.state is ProcessState.RETIRING)
    world.look({worker.process_id: 1}, overdue=True)
    world.advance(5.1)
    assert [effect.process_id for effect in world.effects_of(effects.Kill)] == [worker.process_id]


def test_each_worker_is_attached_and_detached_once_for_the_hooks() -> None:
    world = World()
    world.up(min_instances=2)
    pids = [process.pid for process in world.serving()]
    assert world.hooks("attached_process") == pids
    world.step(world.pool.detach_process, world.serving()[0].process_id)
    world.exit(next(process for process in world.processes() if process.retiring))
    world.exit(world.serving()[0], 9)
    assert world.hooks("detached_process") == pids


def test_a_failed_start_and_a_full_queue_run_their_hooks() -> None:
    world = World()
    world.register()
    world.request()
    world.fail(world.processes()[0])
    hook = next(effect for effect in world.seen if isinstance(effect, effects.RunHook))
    assert (hook.name, hook.error_id, hook.message) == ("spawn_failed", "00000000", "ImportError: no module")
    world.step(world.pool.queue_overflowed, "app", 7)
    world.step(world.pool.queue_overflowed, "app", 2)
    assert len(world.hooks("queue_full_error")) == 1, "not more often than once a second"
    world.now += 1.0
    world.step(world.pool.queue_overflowed, "app", 1)
    assert len(world.hooks("queue_full_error")) == 2


def test_a_minimum_that_the_caps_do_not_allow_is_named_once_in_each_configuration() -> None:
    world = World(max_pool_size=2)
    for _ in range(2):
        world.register(min_instances=3)
    text = "PassengerMinInstances cannot be reached: app: it is 3, and "
    assert len([effect for effect in world.effects_of(effects.LogLine) if effect.text.startswith(text)]) == 1
    world.step(world.pool.configure, world.server, 2, set())
    world.register(epoch=2, min_instances=3)
    assert len([effect for effect in world.effects_of(effects.LogLine) if effect.text.startswith(text)]) == 2


@pytest.fixture
def can_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader's workers can end one of their requests."""
    wsgi = APP_TYPES["wsgi"]
    monkeypatch.setitem(APP_TYPES, "wsgi", replace(wsgi, capabilities=wsgi.capabilities | {"cancel"}))


def requests_of(world: World, worker: Process, *overdue: OverdueRequest) -> list[effects.Effect]:
    """A look at a worker that shows these overdue requests."""
    reading = Reading(3, 5, worker.requests, worker.idle_since, False, overdue)
    return world.step(world.pool.sample, "app", {worker.process_id: reading}, False)


@pytest.mark.usefixtures("can_cancel")
def test_a_worker_that_can_is_told_to_end_the_request_and_serves_on() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    request = OverdueRequest(2, 77)
    assert effects.CancelRequest(worker.process_id, request) in requests_of(world, worker, request)
    assert not [one for one in requests_of(world, worker, request) if isinstance(one, effects.CancelRequest)]
    requests_of(world, worker)
    world.advance(6)
    assert worker.serving
    assert world.hooks("max_request_time_reached") == [worker.pid]


@pytest.mark.usefixtures("can_cancel")
def test_each_of_two_requests_is_cancelled_once() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    first, second = OverdueRequest(2, 77), OverdueRequest(3, 78)
    requests_of(world, worker, first)
    assert effects.CancelRequest(worker.process_id, second) in requests_of(world, worker, first, second)
    assert len(world.effects_of(effects.CancelRequest)) == 2


@pytest.mark.usefixtures("can_cancel")
def test_a_worker_that_shows_other_overdue_requests_all_the_time_is_no_burden_to_hooks_and_log() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    for look in range(20):
        requests_of(world, worker, *(OverdueRequest(cell, look) for cell in range(128)))
        world.now += 0.06
    assert world.hooks("max_request_time_reached") == [worker.pid] * 2
    assert len([line for line in world.effects_of(effects.LogLine) if line.number == 3541]) == 2


@pytest.mark.usefixtures("can_cancel")
def test_a_worker_that_does_not_end_a_cancelled_request_ends_itself() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    requests_of(world, worker, OverdueRequest(2, 77))
    world.now += 4.9
    requests_of(world, worker, OverdueRequest(2, 77))
    assert worker.serving
    world.now += 0.2
    requests_of(world, worker, OverdueRequest(2, 77))
    assert worker.retiring
    assert [effect.process_id for effect in world.effects_of(effects.Terminate)] == [worker.process_id]


@pytest.mark.usefixtures("can_cancel")
def test_a_request_without_a_cell_cannot_be_cancelled() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    requests_of(world, worker, OverdueRequest(None, 0))
    assert worker.retiring
    assert not world.effects_of(effects.CancelRequest)


@pytest.mark.usefixtures("can_cancel")
def test_no_request_is_cancelled_where_the_operator_has_switched_that_off() -> None:
    world = World(disabled=frozenset({"cancel"}))
    world.up()
    worker = world.serving()[0]
    requests_of(world, worker, OverdueRequest(2, 77))
    assert worker.retiring
    assert not world.effects_of(effects.CancelRequest)


def deadlines(world: World, process: Process) -> list[float]:
    """The deadlines with which a process was told to go."""
    return [one.deadline for one in world.effects_of(effects.Retire) if one.process_id == process.process_id]


def test_an_overdue_worker_is_told_when_it_will_be_killed() -> None:
    world = World()
    worker = overdue(world)
    assert deadlines(world, worker) == [world.now + 5]


def test_a_worker_that_goes_without_haste_is_told_no_deadline() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    world.step(world.pool.detach_process, worker.process_id)
    assert deadlines(world, worker) == [0.0]


def test_a_retiring_worker_is_told_the_deadline_of_a_shutdown_once() -> None:
    world = World()
    world.up()
    worker = world.serving()[0]
    world.step(world.pool.detach_process, worker.process_id)
    deadline = world.now + 3
    world.step(world.pool.shut_down, deadline)
    world.step(world.pool.shut_down, deadline)
    assert deadlines(world, worker) == [0.0, deadline]


def test_a_worker_that_was_to_end_before_it_came_up_has_time_for_its_requests_and_is_told_no_other() -> None:
    world = World()
    world.up(min_instances=2)
    worker = world.serving()[1]
    world.exit(worker, 9)
    worker = next(process for process in world.processes() if process.starting)
    world.come_up(worker)
    world.step(world.pool.detach_process, worker.process_id)
    world.come_up(worker)
    world.look({worker.process_id: 1})
    world.advance(60)
    assert worker.retiring
    assert not world.effects_of(effects.Kill)
    assert deadlines(world, worker) == [0.0]
