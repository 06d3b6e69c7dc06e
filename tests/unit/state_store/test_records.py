"""What of an app outlives the spawner as text, and what a record leaves out that is too long."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from spawner.logs.log import Log
from spawner.pool.reconciler import Changes
from spawner.pool.registry import Registry
from spawner.pool.release import PinnedRelease
from spawner.start_failure import StartFailure
from spawner.state_store.descriptor_store import DescriptorStore, StoreRecord
from spawner.state_store.records import (
    pinned_release_from_text,
    pinned_release_text,
    recovered_process,
)
from spawner.state_store.state_store import StateStore


def test_a_pinned_release_survives_being_stored() -> None:
    failure = StartFailure("import the app", "no módule", "Traceback\n  ...", (("user", "shop"),), "0123abcd")
    pinned = PinnedRelease(4, 12.5, failure)
    assert pinned_release_from_text(pinned_release_text(pinned)) == pinned
    assert pinned_release_from_text(pinned_release_text(None)) is None


@pytest.mark.parametrize(("variable", "left"), [(20_000, ["group", "env:A"]), (40_000, ["group"])])
def test_a_record_without_room_goes_without_its_warnings_and_then_without_its_variables(
    variable: int, left: list[str]
) -> None:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    store = DescriptorStore(*ends)
    fields = [("group", "app"), ("env:A", "a" * variable), ("warning", "w" * 20_000)]
    with open(os.devnull, "rb") as null:
        StateStore(store, Log(), str)._put("group", "group app", fields, [null.fileno()])
    (record,) = store.recover()
    record.close()
    store.close()
    assert [name for name, _ in record.fields if name not in ("type", "key", "serial")] == left


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"generation": "x"}', "null"])
def test_what_is_no_such_text_is_nothing(text: str) -> None:
    assert pinned_release_from_text(text) is None


@pytest.mark.parametrize(("stored", "routes"), [([], ()), ([""], ()), (["a1", "b2"], ("a1", "b2"))])
def test_a_process_has_the_routes_of_its_record_and_an_empty_one_is_none(
    stored: list[str], routes: tuple[str, ...]
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    output, write_end = os.pipe()
    values = {"kind": "direct", "generation": "1", "pid": "1", "state": "starting", "uid": "1", "gid": "1"}
    fields = [*values.items(), *(("route", route) for route in stored)]
    found = recovered_process(StoreRecord(fields, [ours.detach(), output]), 0.0)
    found.close()
    theirs.close()
    os.close(write_end)
    assert found.routes == routes


def test_a_long_failure_fits_a_record_of_the_store() -> None:
    failure = StartFailure("import", "s" * 50_000, "d" * 500_000, tuple(("f", "v" * 900) for _ in range(100)), "0")
    text = pinned_release_text(PinnedRelease(4, 12.5, failure))
    assert len(text) < 28_000
    read = pinned_release_from_text(text)
    assert read is not None
    assert read.failure.detail == "d" * 6_000


def test_a_record_that_cannot_be_used_is_removed_and_leaves_no_descriptor() -> None:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    store = DescriptorStore(*ends)
    with open(os.devnull, "rb") as null:
        store.put("group", "group app", [("group", "app"), ("app_root", "not absolute")], [null.fileno()] * 2)
        store.put("process", "process 1", [("pid", "x")], [null.fileno()] * 2)
        store.put("process", "process 2", [("group", "of nobody"), ("pid", "x")], [null.fileno()] * 2)
    log = Log()
    before = len(os.listdir("/proc/self/fd"))
    state_store = StateStore(store, log, str)
    assert state_store.recover(0.0) == []
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(store) == 0
    state_store.close()
    log.close()


def test_nothing_is_kept_of_groups_and_processes_that_are_gone() -> None:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    store = DescriptorStore(*ends)
    state_store = StateStore(store, Log(), str)
    registry: Any = Registry()
    with open(os.devnull, "rb") as null:
        for number in range(3):
            state_store._processes[number] = state_store._groups[str(number)] = "a state"
            state_store._process_keys[number] = "process %d" % number
            for key in ("process %d" % number, "group %d" % number):
                store.put("gone", key, [], [null.fileno()])
    state_store.update(registry, Changes({"0", "1"}, {0, 1}))
    state_store.mark_group("2")
    state_store.mark_process(2)
    state_store.update(registry, Changes(set(), set()))
    assert [state_store._groups, state_store._processes, state_store._process_keys] == [{}, {}, {}]
    assert (state_store._marked_groups, state_store._marked_processes) == (set(), set())
    state_store.close()
