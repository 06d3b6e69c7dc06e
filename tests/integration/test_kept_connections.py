"""Connections to workers that take one request after the other: which one a request takes, and what its end means."""

from __future__ import annotations

import select
import socket
import time
from functools import partial
from typing import Iterator

import pytest

from support.applications import AppFolder
from support.background import Background
from support.client import Answer
from support.httpd_child import ONE_CHILD
from support.scripted_loader import Exchange, ScriptedLoader, is_readable
from support.serving import CheckedHttpd

HOST = "kept.example"
HEAD = b"Status: 200 OK\r\n\r\n"
OK = HEAD + b"\0\0\0\x02ok"
END = b"\0\0\0\0"
#: Milliseconds in which httpd looks at a request whose time is over.
GIVEN_UP_WITHIN = 1000
TOO_LATE = b"Status: 102 Too Late\r\n\r\n"


def kept(slot: int) -> bytes:
    """The end frame of a worker that keeps the connection."""
    return b"\xff\xff\xff\xfd" + slot.to_bytes(4, "big")


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    shared_httpd.add(ONE_CHILD)
    for host, directives in ((HOST, ""), ("queue.example", "PassengerMaxRequestQueueTime 30")):
        shared_httpd.site(host, shared_probe.public, f"{directives}\nPassengerAppGroupName {host}")
    shared_httpd.start()
    return shared_httpd


@pytest.fixture(scope="module")
def shared_backend(server: CheckedHttpd) -> Iterator[ScriptedLoader]:
    loader = ScriptedLoader(server, "acknowledge body-file frames keep-alive tail")
    yield loader
    loader.close()


@pytest.fixture
def backend(shared_backend: ScriptedLoader) -> ScriptedLoader:
    for slot in (0, 1):
        shared_backend.set_worker(slot, running=0)
    return shared_backend


def asked(server: CheckedHttpd, method: str = "GET", body: bytes | None = None, host: str = HOST) -> Background[Answer]:
    return Background(partial(server.request, method, "/", host, body=body))


def first_exchange(server: CheckedHttpd, backend: ScriptedLoader, slot: int = 0) -> Exchange:
    """A new connection that has served a request, and is kept by the worker of the slot."""
    waiting = asked(server)
    exchange = backend.accept()
    assert exchange.head["JUMPSEAT_KEEP"] == "1"
    exchange.send(OK + kept(slot))
    assert waiting.result().text == "ok"
    return exchange


def answer(exchange: Exchange, waiting: Background[Answer], end: bytes = END) -> None:
    exchange.send(OK + end)
    assert waiting.result().text == "ok"


class KeptWorker:
    """A worker that has kept a connection.

    On a busy machine this process may read a request when its time is over, or after the second for which httpd keeps a
    connection: then the request has gone elsewhere, and is asked again. Which of both it is can be seen.
    """

    def __init__(self, server: CheckedHttpd, backend: ScriptedLoader, slot: int = 0) -> None:
        self._server, self._backend, self._slot = server, backend, slot
        self.exchange = first_exchange(server, backend, slot)

    def __enter__(self) -> KeptWorker:
        return self

    def __exit__(self, *unused: object) -> None:
        self.exchange.close()

    def asked(self, method: str = "GET", body: bytes | None = None, host: str = HOST) -> Background[Answer]:
        """Ask, and read the head of the request on the kept connection in time."""
        for _ in range(50):
            waiting = asked(self._server, method, body, host)
            if self._has_read_in_time():
                return waiting
            with self._backend.accept() as other:
                other.send(b"Status: 102 Processing\r\n\r\n" * ("JUMPSEAT_ACKNOWLEDGE" in other.head) + OK + END)
                assert waiting.result().text == "ok"
            self.exchange.close()
            self.exchange = first_exchange(self._server, self._backend, self._slot)
        raise AssertionError("the machine is too busy")

    def _has_read_in_time(self) -> bool:
        try:
            self.exchange.read_head()
        except AssertionError:  # the connection has ended
            return False
        if time.monotonic_ns() < int(self.exchange.head["JUMPSEAT_START_BEFORE"]):
            return True
        # httpd may have looked before this process has read: then it has given the connection up.
        watched = select.poll()
        watched.register(self.exchange.connection, select.POLLRDHUP)
        return not watched.poll(GIVEN_UP_WITHIN)


def test_a_kept_connection_takes_the_next_request(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with KeptWorker(server, backend) as worker:
        for method, body in (("GET", None), ("POST", b"body"), ("DELETE", None)):
            waiting = worker.asked(method, body)
            assert (worker.exchange.head["REQUEST_METHOD"], worker.exchange.body()) == (method, body or b"")
            answer(worker.exchange, waiting, kept(0))
        answer(worker.exchange, worker.asked())
        assert worker.exchange.read(1) == b""


def test_the_tail_of_the_head_has_what_does_not_change(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with first_exchange(server, backend) as exchange:
        names = list(exchange.head)
        tail = names[names.index("SCRIPT_NAME") :]
        size = sum(len(name) + len(exchange.head[name]) + 2 for name in tail)
        assert tail[-1] == "JUMPSEAT_TAIL"
        assert exchange.head["JUMPSEAT_TAIL"] == f"{size:06}"
        assert {"SERVER_SOFTWARE", "DOCUMENT_ROOT", "JUMPSEAT_FRAMED"} <= set(tail)
        assert not {"HTTP_HOST", "SERVER_NAME", "REMOTE_PORT", "REQUEST_URI"} & set(tail)


def test_a_long_request_or_one_with_a_file_gets_a_new_connection(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with first_exchange(server, backend):
        waiting = asked(server, "POST", bytes(1 << 20))
        with backend.accept() as exchange:
            assert len(exchange.descriptors) == 1
            answer(exchange, waiting)


def test_a_request_that_a_worker_may_not_read_at_once_gets_a_new_connection(
    server: CheckedHttpd, backend: ScriptedLoader
) -> None:
    headers = {f"X-{number}": "x" * 6000 for number in range(3)}
    with first_exchange(server, backend):
        waiting = Background(lambda: server.request("GET", "/", HOST, headers=headers))
        with backend.accept() as other:
            answer(other, waiting)


def test_a_worker_that_is_in_a_request_gets_no_other_one(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with KeptWorker(server, backend) as worker:
        backend.set_worker(0, running=1)
        waiting = asked(server)
        with backend.accept() as other:
            answer(other, waiting)
        backend.set_worker(0, running=0)
        answer(worker.exchange, worker.asked())


def test_the_worker_that_is_free_gets_the_request(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with KeptWorker(server, backend, slot=0) as free:
        backend.set_worker(0, running=1)
        with first_exchange(server, backend, slot=1) as newer:
            backend.set_worker(0, running=0)
            backend.set_worker(1, running=1)
            answer(free.exchange, free.asked())
            assert not is_readable(newer.connection) or newer.has_ended()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_no_worker_reads_in_time_goes_elsewhere(
    server: CheckedHttpd, backend: ScriptedLoader, method: str
) -> None:
    with first_exchange(server, backend) as exchange:
        waiting = asked(server, method, b"body" if method == "POST" else None)
        with backend.accept() as other:
            assert other.head["REQUEST_METHOD"] == method
            answer(other, waiting)
        assert exchange.has_ended()


def test_a_request_that_was_read_in_time_may_take_as_long_as_it_takes(
    server: CheckedHttpd, backend: ScriptedLoader
) -> None:
    with KeptWorker(server, backend) as worker:
        waiting = worker.asked()
        while time.monotonic_ns() < int(worker.exchange.head["JUMPSEAT_START_BEFORE"]) + 20_000_000:
            assert not backend.has_connection()
        answer(worker.exchange, waiting)


def test_a_request_of_which_the_worker_says_that_it_is_too_late_goes_elsewhere(
    server: CheckedHttpd, backend: ScriptedLoader
) -> None:
    with KeptWorker(server, backend) as worker:
        waiting = worker.asked()
        worker.exchange.send(TOO_LATE)
        with backend.accept() as other:
            answer(other, waiting)


def test_a_request_with_a_limit_of_time_in_the_queue_goes_elsewhere_too(
    server: CheckedHttpd, backend: ScriptedLoader
) -> None:
    acknowledged = b"Status: 102 Processing\r\n\r\n"
    waiting = asked(server, host="queue.example")
    with backend.accept() as exchange:
        limit = int(exchange.head["JUMPSEAT_START_BEFORE"])
        exchange.send(acknowledged + OK + kept(0))
        assert waiting.result().text == "ok"
        waiting = asked(server, host="queue.example")
        with backend.accept() as other:  # nothing is acknowledged in time
            assert int(other.head["JUMPSEAT_START_BEFORE"]) > limit
            other.send(acknowledged + OK + END)
            assert waiting.result().text == "ok"
        if exchange.rest or is_readable(exchange.connection):
            exchange.read_head()
            assert exchange.head["JUMPSEAT_ACKNOWLEDGE"] == "1"
            assert int(exchange.head["JUMPSEAT_START_BEFORE"]) < limit


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_worker_that_ends_without_reading_the_request_has_not_run_it(
    server: CheckedHttpd, backend: ScriptedLoader, method: str
) -> None:
    exchange = first_exchange(server, backend)
    waiting = asked(server, method, b"body" if method == "POST" else None)
    exchange.connection.recv(1, socket.MSG_PEEK)
    exchange.close()
    with backend.accept() as other:
        assert other.head["REQUEST_METHOD"] == method
        answer(other, waiting)


def test_a_worker_that_ends_with_the_request_may_have_run_it(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    server.logs.expect("JS2045")
    with KeptWorker(server, backend) as worker:
        waiting = worker.asked()
        worker.exchange.close()
        assert waiting.result().status == 502
        assert not backend.has_connection()


def test_what_comes_behind_the_end_is_no_answer_to_anybody(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with first_exchange(server, backend) as exchange:
        exchange.send(OK + kept(0))
        waiting = asked(server)
        with backend.accept() as other:
            other.send(HEAD + b"\0\0\0\x04mine" + END)
            assert waiting.result().text == "mine"


@pytest.mark.parametrize("slot", [2, 0x7FFFFFFF, 0xFFFFFFFE])
def test_a_worker_of_a_slot_that_does_not_exist_gets_no_other_request(
    server: CheckedHttpd, backend: ScriptedLoader, slot: int
) -> None:
    with first_exchange(server, backend, slot):
        waiting = asked(server)
        with backend.accept() as other:
            answer(other, waiting)
