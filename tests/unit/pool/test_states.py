"""The tables of states, walked completely: each pair of state and event is a row, or is refused."""

from __future__ import annotations

import itertools

import pytest

from spawner.errors import IllegalTransition
from spawner.pool.group import Group
from spawner.pool.process import Process
from spawner.pool.states import (
    GROUP_TRANSITIONS,
    PROCESS_TRANSITIONS,
    GroupEvent,
    GroupState,
    ProcessEvent,
    ProcessKind,
    ProcessState,
)
from tests.unit.pool.world import World

PROCESS_PAIRS = list(itertools.product(ProcessKind, ProcessState, ProcessEvent))
GROUP_PAIRS = list(itertools.product(GroupState, GroupEvent))

# What each state of a process means to the pool; a state that a kind cannot have is left out.
STARTING = {ProcessState.SPAWNED, ProcessState.LOADING, ProcessState.BOOTING}


@pytest.mark.parametrize(("kind", "state", "event"), PROCESS_PAIRS)
def test_a_process_moves_along_its_table_and_refuses_every_other_event(
    kind: ProcessKind, state: ProcessState, event: ProcessEvent
) -> None:
    process = Process(1, "app", kind, 1, 0.0, 0, pid=4711, state=state)
    row = PROCESS_TRANSITIONS[kind].get((state, event))
    if row is not None:
        process.on(event)
        assert process.state is row
        return
    with pytest.raises(IllegalTransition) as caught:
        process.on(event)
    assert process.state is state
    assert all(word in str(caught.value) for word in (str(state), str(event), "%s 4711 of app" % kind.value))


@pytest.mark.parametrize(("state", "event"), GROUP_PAIRS)
def test_a_group_moves_along_its_table_and_refuses_every_other_event(state: GroupState, event: GroupEvent) -> None:
    group = Group(World.registration("app", 1), state=state)
    row = GROUP_TRANSITIONS.get((state, event))
    if row is not None:
        group.on(event)
        assert group.state is row
        return
    with pytest.raises(IllegalTransition) as caught:
        group.on(event)
    assert group.state is state
    assert all(word in str(caught.value) for word in (str(state), str(event), "app group app"))


@pytest.mark.parametrize("kind", ProcessKind)
def test_every_state_of_a_process_is_reached_and_left_until_it_is_gone(kind: ProcessKind) -> None:
    table = PROCESS_TRANSITIONS[kind]
    reached = {ProcessState.SPAWNED}
    while True:
        further = {to for (state, _), to in table.items() if state in reached} - reached
        if not further:
            break
        reached |= further
    assert ProcessState.GONE in reached
    assert reached - {ProcessState.GONE} == {state for state, _ in table} & reached
    for state in reached - {ProcessState.GONE}:
        assert table[state, ProcessEvent.EXIT] is ProcessState.GONE, "a process may end at any time"
        assert table[state, ProcessEvent.RETIRE] is ProcessState.RETIRING, "and may be told to at any time"


def test_every_state_of_a_group_is_reached_and_may_be_closed() -> None:
    reached = {GroupState.COLD}
    while True:
        further = {to for (state, _), to in GROUP_TRANSITIONS.items() if state in reached} - reached
        if not further:
            break
        reached |= further
    assert reached == set(GroupState)
    for state in GroupState:
        assert GROUP_TRANSITIONS[state, GroupEvent.CLOSE] is GroupState.CLOSING


@pytest.mark.parametrize("state", ProcessState)
def test_a_process_counts_against_the_caps_exactly_while_it_comes_up_or_serves(state: ProcessState) -> None:
    worker = Process(1, "app", ProcessKind.DIRECT, 1, 0.0, 0, state=state)
    assert worker.active == (state in STARTING or state is ProcessState.SERVING)
    assert worker.starting == (state in STARTING)
    assert not Process(2, "app", ProcessKind.PRELOADER, 1, 0.0, state=state).active
