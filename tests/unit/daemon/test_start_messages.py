"""The message `load`: its limits, and the sockets that a process is given with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from spawner.daemon.start_messages import LoadSender, limits_of, load_fields, threads_of
from spawner.options import AppOptions
from spawner.pool.process import Process
from spawner.pool.registration import Registration
from spawner.pool.registry import Registry
from spawner.pool.states import ProcessKind
from tests.unit.pool.world import World


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
    assert threads_of(registration(**options)) == threads


@pytest.mark.parametrize(
    ("method", "once", "max_requests", "stops"),
    [("smart", False, "7", "1"), ("direct", False, "7", "0"), ("smart", True, "1", "1"), ("direct", True, "1", "1")],
)
def test_a_worn_worker_stops_where_another_is_forked_at_once(
    method: str, once: bool, max_requests: str, stops: str
) -> None:
    told = dict(limits_of(registration(spawn_method=method, max_requests=7), once))
    assert (told["max_requests"], told["stop_at_max_requests"]) == (max_requests, stops)


def test_what_only_ruby_apps_need_is_told_to_ruby_apps() -> None:
    world = World()
    options = AppOptions(ruby_hooks_file="config/puma.rb", early_hints=True, warmup=False)
    expected = {"hooks_file": "config/puma.rb", "early_hints": "1", "warmup": "0"}
    for app_type, told in (("wsgi", {}), ("rack", expected)):
        of_type = Registration("a", "/a", app_type, "x", "/a/public", "", "test", "", options, 1)
        group: Any = SimpleNamespace(registration=of_type, key="a")
        process = Process(1, "a", ProcessKind.PRELOADER, 1, 0.0, None)
        fields = dict(load_fields(group, process, 1, "", "Apache", world.pool.server))
        assert {name: fields[name] for name in expected if name in fields} == told


class Started:
    """A direct process with a socket of its own that asks for `load` again and again."""

    def __init__(self) -> None:
        world = World()
        world.register(sticky_sessions=True)
        self.done: list[str] = []
        self.paths: set[str] = set()
        self.process: Any = SimpleNamespace(process_id=1, key="app", slot=0, routes=())
        self.process.line = SimpleNamespace(send_or_fail=lambda fields, descriptors: self.done.append("sent"))
        registry: Any = Registry()
        registry.groups.enter("app", world.pool.groups["app"])
        listener, scoreboard = SimpleNamespace(fileno=int), SimpleNamespace(descriptor=0)
        resources = SimpleNamespace(path="/app.sock", listener=listener, scoreboard=scoreboard, token="")
        registry.groups.attach("app", resources)
        registry.processes.enter(1, Process(1, "app", ProcessKind.DIRECT, 1, 0.0, 0))
        instance: Any = SimpleNamespace(listen_for_worker=self._listen, remove_worker_socket=self._remove)
        store: Any = SimpleNamespace(update_process=self._store)
        self.sender = LoadSender(world.pool, registry, instance, store, "Apache", 0)

    def _remove(self, app_socket: str, route: str) -> None:
        assert app_socket == "/app.sock"
        self.paths.discard(route)

    def _listen(self, app_socket: str, backlog: int) -> tuple[str, Any]:
        assert app_socket == "/app.sock"
        route = "route %d" % len(self.done)
        self.paths.add(route)
        return route, SimpleNamespace(fileno=int, close=lambda: None)

    def _store(self, entry: Process, process: Any) -> None:
        assert set(process.routes) <= self.paths
        self.done.append("stored " + process.routes[-1])


def test_the_next_spawner_knows_a_socket_before_the_process_has_it() -> None:
    started = Started()
    started.sender.send(started.process)
    assert started.done == ["stored route 0", "sent"]


def test_a_process_that_says_hello_again_and_again_has_so_many_sockets_and_no_more() -> None:
    started = Started()
    for _ in range(20):
        started.sender.send(started.process)
    assert len(started.paths) == 4
    assert started.paths == set(started.process.routes)
    newest = started.process.routes[-1]
    started.sender.keep_route(started.process, newest)
    assert started.paths == {newest}
