"""A worker with a socket of its own (sticky sessions) serves both sockets, and drains its own when it goes."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.loader_process import OwnSocket, Preloader, Process

ROUTE = "0123456789abcdef"


def start(starter: Starter, **fields: str) -> tuple[Preloader, Process, OwnSocket]:
    preloader = starter.load(**fields)
    own = preloader.group.own_socket(ROUTE)
    return preloader, preloader.fork(own=own), own


@pytest.mark.needs("fork")
def test_it_serves_its_own_socket_and_the_groups(starter: Starter) -> None:
    preloader, worker, own = start(starter)
    assert worker.ready["route"] == ROUTE
    assert "route" not in preloader.fork().ready
    assert own.client.ask().header("X-Pid") == str(worker.pid)
    assert worker.get().text == "ok"
    assert own.client.ask().header("X-Pid") == str(worker.pid)


@pytest.mark.needs("own-socket")
def test_a_direct_process_has_one_too(starter: Starter) -> None:
    process = starter.start()
    own = process.group.own_socket(ROUTE)
    process.serve(starter.loader.entry("probe"), own=own)
    assert process.ready["route"] == ROUTE
    assert own.client.ask().header("X-Pid") == str(process.pid)
    assert process.get().text == "ok"


@pytest.mark.needs("fork")
@pytest.mark.needs("threads")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_neither_socket_starves_while_the_other_is_full(starter: Starter, threads: str) -> None:
    _, worker, own = start(starter, threads=threads)
    with ExitStack() as stack:
        held = [stack.enter_context(worker.group.client().open(path="/wait")) for _ in range(int(threads))]
        worker.group.wait_for(lambda group: group.slot(0).running == int(threads))
        clients = [worker.group.client(), own.client]
        of_group, of_own = (
            [stack.enter_context(client.open(path=f"/say?{name} {n}")) for n in range(10)]
            for name, client in zip("go", clients)
        )
        starter.open_gate()
        assert all(exchange.answer().text == "ok" for exchange in [*held, *of_group, *of_own])
    order = [line[0] for line in worker.output.text().splitlines() if line[:2] in ("g ", "o ")]
    assert sorted(order[:10]).count("g") in range(3, 8), order


@pytest.mark.needs("fork")
@pytest.mark.needs("threads")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_worker_that_retires_serves_all_that_wait_at_its_own_socket(starter: Starter, threads: str) -> None:
    _, worker, own = start(starter, threads=threads)
    with ExitStack() as stack:
        held = [stack.enter_context(worker.group.client().open(path="/wait")) for _ in range(int(threads))]
        worker.group.wait_for(lambda group: group.slot(0).running == int(threads))
        queued = [stack.enter_context(own.client.open()) for _ in range(10)]
        left = stack.enter_context(worker.group.client().open())
        own.remove()
        worker.retire()
        starter.open_gate()
        assert all(exchange.answer().text == "ok" for exchange in [*held, *queued])
        worker.wait_for_end()
        left.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            left.socket.recv(1)


@pytest.mark.needs("fork")
def test_a_worker_that_is_told_to_end_while_idle_ends(starter: Starter) -> None:
    _, worker, own = start(starter)
    own.remove()
    worker.signal(signal.SIGTERM)
    worker.wait_for_end()


@pytest.mark.needs("fork")
def test_a_worker_that_stops_at_its_limit_serves_its_own_socket_only(starter: Starter) -> None:
    preloader, worker, own = start(starter, max_requests="1", stop_at_max_requests="1")
    assert worker.get().text == "ok"
    assert worker.line.expect("max_requests_reached") == {"type": "max_requests_reached", "requests": "1"}
    other = preloader.fork()
    assert worker.get().header("X-Pid") == str(other.pid)
    assert own.client.ask().header("X-Pid") == str(worker.pid)
    assert own.client.ask().header("X-Pid") == str(worker.pid)


@pytest.mark.needs("fork")
def test_the_next_worker_does_not_hold_the_socket(starter: Starter) -> None:
    preloader, worker, own = start(starter)
    preloader.fork()
    worker.kill()
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(own.address)
