"""The registry: one identity, two halves."""

from __future__ import annotations

import pytest

from spawner.errors import InternalError
from spawner.options import ServerOptions
from spawner.pool import effects
from spawner.pool.pool import Pool
from spawner.pool.process import Process
from spawner.pool.registry import ProcessTable, Registry, Table
from spawner.pool.states import ProcessKind
from tests.unit.pool.world import World


def process(process_id: int, pid: int = 0) -> Process:
    """An entry."""
    return Process(process_id, "app", ProcessKind.WORKER, 1, 0.0, 0, pid)


def test_a_record_is_there_as_long_as_one_of_its_halves_is() -> None:
    table: Table[str, str, str] = Table()
    table.enter("app", "entry")
    table.attach("app", "handle")
    table.end("app")
    assert (table.entry("app"), table.handle("app")) == (None, "handle")
    assert table.detach("app") == "handle"
    assert (table.entry("app"), table.handle("app"), table.detach("app")) == (None, None, None)
    table.enter("app", "another")
    assert (table.entry("app"), table.handle("app")) == ("another", None)


def test_each_half_is_a_mapping_of_those_that_have_it() -> None:
    table: Table[str, int, str] = Table()
    table.enter("both", 1)
    table.attach("both", "one")
    table.enter("entered", 2)
    table.attach("attached", "three")
    assert dict(table.entries) == {"both": 1, "entered": 2}
    assert dict(table.handles) == {"both": "one", "attached": "three"}
    assert (len(table.entries), len(table.handles)) == (2, 2)
    assert list(table.complete()) == [("both", 1, "one")]
    assert "attached" not in table.entries
    with pytest.raises(KeyError):
        table.entries["attached"]


def test_what_is_entered_is_not_entered_again() -> None:
    table: Table[str, int, str] = Table()
    table.enter("app", 1)
    with pytest.raises(InternalError):
        table.enter("app", 2)


def test_what_is_not_there_ends_without_a_word() -> None:
    table: Table[str, int, str] = Table()
    table.end("app")
    assert not table.entries


def test_a_process_is_found_by_its_pid_until_both_halves_are_gone() -> None:
    table: ProcessTable[str] = ProcessTable()
    table.enter(7, process(7))
    table.attach(7, "handle")
    table.set_pid(7, 1234)
    assert table.with_pid(1234) == [7]
    table.end(7)
    assert table.with_pid(1234) == [7]
    table.detach(7)
    assert table.with_pid(1234) == []


def test_two_processes_may_have_one_pid_and_a_process_has_the_last_that_was_said() -> None:
    table: ProcessTable[str] = ProcessTable()
    for process_id in (7, 8):
        table.enter(process_id, process(process_id))
        table.set_pid(process_id, 1234)
    assert table.with_pid(1234) == [7, 8]
    table.set_pid(8, 1235)
    assert (table.with_pid(1234), table.with_pid(1235)) == ([7], [8])
    table.check_invariants()


def test_nothing_is_kept_of_processes_that_are_gone() -> None:
    table: ProcessTable[str] = ProcessTable()
    for process_id in range(10):
        table.enter(process_id, process(process_id))
        for pid in (100 + process_id, 200):
            table.set_pid(process_id, pid)
        table.end(process_id)
    assert (table._records, table._pids, table._ids) == ({}, {}, {})


def test_a_process_that_is_not_there_has_no_pid() -> None:
    table: ProcessTable[str] = ProcessTable()
    with pytest.raises(InternalError):
        table.set_pid(7, 1234)


def test_a_pid_that_was_not_noted_is_found() -> None:
    table: ProcessTable[str] = ProcessTable()
    table.enter(7, process(7, pid=1234))
    with pytest.raises(AssertionError, match="pid 1234"):
        table.check_invariants()


def test_the_pool_ends_an_entry_before_its_effect_says_so_and_leaves_the_handle_to_the_daemon() -> None:
    registry: Registry[str, str] = Registry()
    pool = Pool(ServerOptions(), registry=registry)
    pool.register(World.registration("app", 1, spawn_method="direct"), 1.0)
    registry.groups.attach("app", "listener")
    pool.queue_readable("app", 1.0)
    started = next(one for one in pool.take_effects() if isinstance(one, effects.StartProcess))
    registry.processes.attach(started.process_id, "line")
    pool.process_hello(started.process_id, 1234, 2.0)
    assert registry.processes.with_pid(1234) == [started.process_id]
    pool.shut_down(9.0, 3.0)
    pool.process_exited(started.process_id, 0, 4.0)
    assert {type(one) for one in pool.take_effects()} >= {effects.ForgetProcess, effects.DropGroup}
    assert not registry.processes.entries
    assert not registry.groups.entries
    assert registry.groups.detach("app") == "listener"
    assert registry.processes.detach(started.process_id) == "line"
    assert registry.processes.with_pid(1234) == []
