"""The limits that a process gets with `load`."""

from __future__ import annotations

from typing import Any

import pytest

from spawner.daemon.start_messages import limits_of, threads_of
from spawner.options import AppOptions
from spawner.pool.registration import Registration


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
    assert (told["max_requests"], told["stop_at_max_requests"]) == (max_requests, stops)
