"""Places and starts, by themselves: who gets one, and who is named to go for it. Nothing is retired here."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, Optional

import pytest

from spawner.options import ServerOptions
from spawner.pool.capacity import WAIT_FOR_IDLE_SECONDS, Capacity, Victim
from spawner.pool.group import Group
from spawner.pool.process import Process
from spawner.pool.registration import Configuration
from spawner.pool.states import GroupState, ProcessKind, ProcessState
from tests.unit.pool.world import World

NUMBERS = itertools.count(1)


def configuration(places: int, **server: Any) -> Configuration:
    """A configuration with a pool of a size."""
    return Configuration(dataclasses.replace(ServerOptions(), max_pool_size=places, **server))


def capacity_of(places: int, *groups: Group, **server: Any) -> Capacity:
    """The capacity of a pool with these groups."""
    capacity = Capacity(configuration(places, **server), 2, lambda process: process.busy)
    for group in groups:
        capacity.note(group)
    return capacity


def serving(key: str, *idle_since: Optional[float], **options: Any) -> Group:
    """A group that is to have the workers that it has; None: one that is in a request."""
    group = Group(World.registration(key, 1, **options), state=GroupState.SERVING)
    for slot, since in enumerate(idle_since):
        process = Process(next(NUMBERS), key, ProcessKind.WORKER, 1, 0.0, slot, state=ProcessState.SERVING)
        process.running, process.idle_since = (1, 0.0) if since is None else (0, since)
        group.add(process)
    group.sizing.raise_to(len(idle_since))
    return group


def cold(key: str = "cold", **options: Any) -> Group:
    """A group that wants its first worker."""
    return Group(World.registration(key, 1, **options), state=GroupState.STARTING)


def name(victims: Optional[list[Victim]]) -> Optional[list[tuple[str, Optional[int], str]]]:
    """Who is named: the app, the slot, and how it was found."""
    return None if victims is None else [(one.process.key, one.process.slot, one.how) for one in victims]


def test_a_free_place_costs_nobody_his_own() -> None:
    assert capacity_of(3, serving("one", 1.0, 2.0)).place_for(cold(), 10.0) == []


def test_in_a_full_pool_whoever_has_been_idle_for_longest_is_named_and_left_alone() -> None:
    one, two = serving("one", 5.0, 3.0), serving("two", 4.0)
    capacity = capacity_of(3, one, two)
    assert name(capacity.place_for(cold(), 10.0)) == [("one", 1, "idle")]
    assert all(process.serving for group in (one, two) for process in group.workers())
    assert (one.sizing.target, capacity.worker_count) == (2, 3)


def test_an_app_that_has_a_worker_takes_no_place_from_another() -> None:
    small = serving("small", None)
    assert capacity_of(2, serving("one", 1.0), small).place_for(small, 10.0) is None


def test_a_worker_that_has_become_busy_since_the_last_look_is_not_named() -> None:
    capacity = Capacity(configuration(1), 2, lambda process: process.key == "one")
    capacity.note(serving("one", 1.0))
    assert capacity.place_for(cold(), 10.0) is None


def test_a_group_that_starts_or_restarts_is_not_asked_for_a_worker() -> None:
    restarting = serving("one", 1.0)
    restarting.state = GroupState.RESTARTING
    capacity = capacity_of(1, restarting, serving("two", 2.0))
    assert name(capacity.place_for(cold(), 10.0)) == [("two", 0, "idle")]


def test_a_busy_app_with_the_most_workers_is_asked_only_after_a_while_and_never_for_its_last() -> None:
    capacity = capacity_of(5, serving("two", None, None), serving("three", None, None, None))
    group = cold()
    assert capacity.place_for(group, 10.0) is None
    assert capacity.lacks_place("cold")
    assert capacity.wait_ends_at("cold") == 10.0 + WAIT_FOR_IDLE_SECONDS
    capacity.pass_time("cold", 14.9)
    assert capacity.place_for(group, 14.9) is None
    assert capacity.wait_ends_at("cold") == 15.0, "asking again does not make it wait for longer"
    capacity.pass_time("cold", 15.0)
    assert capacity.wait_ends_at("cold") is None
    assert name(capacity.place_for(group, 15.0)) == [("three", 0, "busy")]
    last = capacity_of(1, serving("one", None))
    last.place_for(group, 10.0)
    last.pass_time("cold", 15.0)
    assert last.place_for(group, 15.0) is None


def test_whoever_leaves_the_line_does_not_lack_a_place_any_more() -> None:
    capacity = capacity_of(1, serving("one", None))
    capacity.enter("cold")
    capacity.place_for(cold(), 10.0)
    capacity.leave("cold")
    assert not capacity.lacks_place("cold")
    assert capacity.line() == []


def test_turns_are_given_in_the_order_of_asking() -> None:
    capacity = capacity_of(1)
    for key in ("b", "a", "b", "c"):
        capacity.enter(key)
    assert capacity.line() == ["b", "a", "c"]
    capacity.leave("b")
    capacity.enter("b")
    assert capacity.line() == ["a", "c", "b"]


def test_a_restart_swaps_a_worker_of_its_own_in_a_full_pool() -> None:
    restarting, other = serving("one", 3.0, 2.0), serving("two", 1.0)
    restarting.state = GroupState.RESTARTING
    restarting.release.begin(5.0, total=2, unproven=False)
    restarting.release.load_beside(drain_until=0.0)
    new = Process(next(NUMBERS), "one", ProcessKind.WORKER, 2, 0.0, 2, state=ProcessState.SERVING)
    restarting.add(new)
    capacity = capacity_of(3, restarting, other)
    assert name(capacity.place_for(restarting, 10.0)) == [("one", 1, "")]


def test_interpreters_that_import_have_a_limit_that_slow_ones_and_forks_do_not_count_for() -> None:
    group = cold()
    for kind in (ProcessKind.PRELOADER, ProcessKind.WORKER, ProcessKind.DIRECT):
        group.add(Process(next(NUMBERS), "cold", kind, 1, 0.0, next(NUMBERS)))
    capacity = capacity_of(9, group)
    assert not capacity.may_import()
    next(iter(group.processes.values())).slow = True
    capacity.note(group)
    assert capacity.may_import()


@pytest.mark.parametrize(
    ("server", "options", "most"),
    [({}, {}, 4), ({"max_instances_per_app": 3}, {}, 3), ({"max_instances_per_app": 3}, {"max_instances": 2}, 2)],
)
def test_the_smallest_cap_counts(server: dict[str, Any], options: dict[str, Any], most: int) -> None:
    assert capacity_of(4, **server).cap(cold(**options)) == most


def test_a_smaller_pool_names_as_many_idle_workers_as_are_too_many_and_those_that_were_busy_later() -> None:
    group = serving("one", 1.0, None, 3.0)
    capacity = capacity_of(3, group)
    capacity.configure(configuration(0))
    assert name(capacity.shed()) == [("one", 0, "idle"), ("one", 2, "idle")]
    for process in list(group.processes.values()):
        if process.running:
            process.running = 0
        else:
            group.retire(process, 10.0)
    capacity.note(group)
    assert name(capacity.shed()) == [("one", 1, "idle")]
    assert capacity.shed() == []


def test_the_one_more_that_a_restart_leaves_is_too_many() -> None:
    group = serving("one", 1.0, 2.0)
    group.state = GroupState.RESTARTING
    capacity = capacity_of(1, group)
    assert capacity.shed() == []
    group.state = GroupState.SERVING
    capacity.note(group)
    assert name(capacity.shed()) == [("one", 0, "idle")]


def test_workers_of_a_pinned_release_are_named_last() -> None:
    old = serving("old", 1.0)
    old.release.begin(2.0, total=1, unproven=False)
    old.release.load_beside(drain_until=0.0)
    old.release.pin(World.failure(), 3.0)
    assert name(capacity_of(2, old, serving("other", 5.0)).place_for(cold(), 10.0)) == [("other", 0, "idle")]


def test_a_group_whose_workers_were_not_counted_is_found() -> None:
    group = serving("one", 1.0)
    capacity = capacity_of(3, group)
    capacity.check_invariants([group])
    group.retire(next(group.workers()), 2.0)
    with pytest.raises(AssertionError, match="0 workers, counted as 1"):
        capacity.check_invariants([group])


def test_only_groups_with_processes_are_looked_at() -> None:
    one, empty = serving("one", 1.0), cold()
    capacity = capacity_of(3, one, empty)
    assert capacity.groups_with_processes() == [one]
    one.processes.clear()
    capacity.note(one)
    assert capacity.groups_with_processes() == []
    assert capacity.worker_count == 0
