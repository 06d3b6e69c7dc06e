"""A worker that has served as many requests as it may says so, and loses none."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Starter

pytestmark = pytest.mark.needs("max-requests")


@pytest.mark.needs("fork")
def test_it_says_once_that_the_limit_is_reached_and_serves_on_until_it_is_told_to_retire(starter: Starter) -> None:
    preloader = starter.load(max_requests="3", stop_at_max_requests="0")
    worker = preloader.fork()
    for _ in range(5):
        assert worker.get().text == "ok"
    assert worker.line.expect("max_requests_reached") == {"type": "max_requests_reached", "requests": "3"}
    worker.retire()
    worker.wait_for_end()
    assert worker.line.receive() == []


def test_without_a_limit_it_says_nothing(starter: Starter) -> None:
    worker = starter.worker()
    for _ in range(5):
        assert worker.get().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert worker.line.receive() == []


@pytest.mark.needs("fork")
@pytest.mark.needs("threads")
@pytest.mark.parametrize("threads", ["1", "4"])
def test_one_that_stops_takes_nothing_more_and_leaves_the_rest_to_others(starter: Starter, threads: str) -> None:
    preloader = starter.load(max_requests="2", stop_at_max_requests="1", threads=threads)
    worker = preloader.fork()
    for _ in range(2):
        assert worker.get().header("X-Pid") == str(worker.pid)
    assert worker.line.expect("max_requests_reached")["requests"] == "2"
    with worker.group.client().open() as third:
        other = preloader.fork()
        assert third.answer().header("X-Pid") == str(other.pid)
    worker.retire()
    worker.wait_for_end()
    assert worker.group.slot(0).requests == 2


def test_a_direct_process_may_serve_one_request_only(starter: Starter) -> None:
    process = starter.direct(max_requests="1", stop_at_max_requests="1")
    assert process.get().text == "ok"
    assert process.line.expect("max_requests_reached")["requests"] == "1"
    with process.group.client().open() as second:
        process.line.close()
        assert process.child.wait(30) == 0
        second.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            second.socket.recv(1)


@pytest.mark.needs("fork")
def test_a_worker_whose_spawner_has_gone_retires_instead_of_telling_it(starter: Starter) -> None:
    preloader = starter.load(max_requests="1")
    worker = preloader.fork()
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        worker.line.close()
        starter.open_gate()
        assert exchange.answer().text == "ok"
    worker.wait_for_end()
    assert "before_exit" in worker.output.wait_for_end()
