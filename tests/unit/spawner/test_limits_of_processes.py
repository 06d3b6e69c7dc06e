"""What a process is told of its limits, and what of an app outlives the spawner as text."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from spawner.daemon.process_effects import limits_of, threads_of
from spawner.logs.log import Log
from spawner.options import AppOptions
from spawner.pool.registration import Registration
from spawner.pool.release import PinnedRelease
from spawner.start_failure import StartFailure
from spawner.state_store.descriptor_store import DescriptorStore
from spawner.state_store.resistance_wire import resistance_from, text_of
from spawner.state_store.state_store import StateStore, kept_warnings


def registration(**options: Any) -> Registration:
    return Registration("a", "/a", "wsgi", "passenger_wsgi.py", "/a/public", "", "test", "", AppOptions(**options), 1)


@pytest.mark.parametrize(
    ("options", "threads"),
    [
        ({}, 1),
        ({"thread_count": 8}, 1),
        ({"thread_count": 8, "concurrency_model": "thread"}, 8),
        ({"thread_count": 8, "concurrency_model": "thread", "force_max_concurrent_requests_per_process": 3}, 3),
        ({"thread_count": 8, "concurrency_model": "thread", "force_max_concurrent_requests_per_process": 0}, 8),
        ({"thread_count": 2, "concurrency_model": "thread", "force_max_concurrent_requests_per_process": 9}, 2),
    ],
)
def test_a_worker_has_as_many_requests_at_a_time_as_it_has_threads_and_may_have(
    options: dict[str, Any], threads: int
) -> None:
    assert threads_of(AppOptions(**options)) == threads


@pytest.mark.parametrize(
    ("method", "once", "max_requests", "stops"),
    [("smart", False, "7", "1"), ("direct", False, "7", "0"), ("smart", True, "1", "1"), ("direct", True, "1", "1")],
)
def test_a_worn_worker_stops_where_another_is_forked_at_once(
    method: str, once: bool, max_requests: str, stops: str
) -> None:
    told = dict(limits_of(registration(spawn_method=method, max_requests=7), once))
    assert (told["max_requests"], told["stops_when_worn"]) == (max_requests, stops)


def test_what_is_resisted_survives_being_written_down() -> None:
    failure = StartFailure("import the app", "no módule", "Traceback\n  ...", (("user", "shop"),), "0123abcd")
    resisting = PinnedRelease(4, 12.5, failure)
    assert resistance_from(text_of(resisting)) == resisting
    assert resistance_from(text_of(None)) is None


def test_warnings_that_fit_a_record_are_kept_and_the_others_counted() -> None:
    few = ("one", "zwölf")
    assert kept_warnings(few) == list(few)
    many = tuple("%d %s" % (number, "é" * 800) for number in range(50))
    kept = kept_warnings(many)
    assert tuple(kept[:-1]) == many[:4]
    assert kept[-1] == "More warnings of this import stand in the log: 46"
    assert kept_warnings(kept) == kept, "the spawner after the next one knows as much"


@pytest.mark.parametrize(("variable", "left"), [(20_000, ["group", "env:A"]), (40_000, ["group"])])
def test_a_record_without_room_goes_without_its_warnings_and_then_without_its_variables(
    variable: int, left: list[str]
) -> None:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    store = DescriptorStore(*ends)
    fields = [("group", "app"), ("env:A", "a" * variable), ("warning", "w" * 20_000)]
    with open(os.devnull, "rb") as null:
        StateStore(store, Log())._put("group", "group app", fields, [null.fileno()])
    (record,) = store.recover()
    record.close()
    store.close()
    assert [name for name, _ in record.fields if name not in ("type", "key", "serial")] == left


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"generation": "x"}', "null"])
def test_what_is_no_such_text_is_nothing(text: str) -> None:
    assert resistance_from(text) is None


def test_a_long_failure_fits_a_record_of_the_store() -> None:
    failure = StartFailure("import", "s" * 50_000, "d" * 500_000, tuple(("f", "v" * 900) for _ in range(100)), "0")
    text = text_of(PinnedRelease(4, 12.5, failure))
    assert len(text) < 28_000
    read = resistance_from(text)
    assert read is not None
    assert read.failure.detail == "d" * 6_000
