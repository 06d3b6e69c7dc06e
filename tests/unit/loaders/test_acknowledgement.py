"""How a request is taken: the sign that the peer asks for, and what is not run any more."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.conformance.harness.httpd_side import Exchange
from tests.conformance.harness.loader_process import Process
from tests.unit.loaders.conftest import Starter

APP = (Path(__file__).parent / "apps" / "hooks.py").read_text()
SIGN = b"Status: 102 Processing\r\n\r\n"
TOO_LATE = b"Status: 102 Too Late\r\n\r\n"
TAKEN = {"JUMPSEAT_TAKEN": "1"}
SECOND = 1_000_000_000


def ask(worker: Process, path: str = "/", **variables: str) -> Exchange:
    return worker.group.client().open(path=path, variables={**TAKEN, **variables})


def test_a_peer_that_asks_for_it_hears_that_its_request_is_taken_before_the_app_answers(starter: Starter) -> None:
    worker = starter.worker(APP)
    with ask(worker, "/wait") as exchange:
        assert exchange.read_until(b"\r\n\r\n") == SIGN
        starter.write("", "gate")
        assert exchange.answer().text == "ok"


def test_a_peer_that_does_not_ask_for_it_hears_nothing(starter: Starter) -> None:
    worker = starter.worker(APP)
    with worker.group.client().open(variables={"JUMPSEAT_TAKEN": "0"}) as exchange:
        assert exchange.answer().status == "200 OK"


def test_the_app_sees_nothing_of_the_terms(starter: Starter) -> None:
    worker = starter.worker(APP)
    later = str(time.monotonic_ns() + 60 * SECOND)
    query = "/?repr([name for name in environ if name.startswith('JUMPSEAT')]).encode()"
    with ask(worker, query, JUMPSEAT_START_BEFORE=later, JUMPSEAT_TIME_LIMIT="5000") as exchange:
        exchange.read_until(b"\r\n\r\n")
        assert exchange.answer().text == "[]"


def test_a_request_whose_time_in_the_queue_is_over_gets_the_sign_and_is_not_run(starter: Starter) -> None:
    worker = starter.worker(APP)
    with ask(worker, "/?print('was run')", JUMPSEAT_START_BEFORE=str(time.monotonic_ns())) as exchange:
        assert exchange.read(len(SIGN + TOO_LATE) + 1) == SIGN + TOO_LATE
    assert worker.get().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert "was run" not in worker.output.wait_for_end()
    assert worker.group.slot(0).requests == 1


def test_a_request_is_run_while_its_time_in_the_queue_is_not_over(starter: Starter) -> None:
    worker = starter.worker(APP)
    with ask(worker, JUMPSEAT_START_BEFORE=str(time.monotonic_ns() + 60 * SECOND)) as exchange:
        assert exchange.read_until(b"\r\n\r\n") == SIGN
        assert exchange.answer().text == "ok"


def test_the_deadline_of_a_request_is_in_its_cell(starter: Starter) -> None:
    worker = starter.worker(APP)
    before = time.monotonic_ns()
    with ask(worker, "/wait", JUMPSEAT_TIME_LIMIT="1500") as exchange:
        worker.output.wait_for("waiting")
        cell = worker.group.cell(0)
        assert before + 1.5 * SECOND < cell.deadline < time.monotonic_ns() + 1.5 * SECOND
        assert cell.deadline - 1.5 * SECOND <= cell.since
        starter.write("", "gate")
        exchange.read_until(b"\r\n\r\n")
        assert exchange.answer().complete
    assert worker.get().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert worker.group.cell(0).deadline == 0


def test_terms_without_the_wish_for_the_sign_are_not_kept(starter: Starter) -> None:
    worker = starter.worker(APP)
    variables = {"JUMPSEAT_START_BEFORE": "1", "JUMPSEAT_TIME_LIMIT": "1"}
    with worker.group.client().open(path="/wait", variables=variables) as exchange:
        worker.output.wait_for("waiting")
        assert worker.group.cell(0).deadline == 0
        starter.write("", "gate")
        assert exchange.answer().text == "ok"


@pytest.mark.parametrize("value", ["", "soon", "-1", "1" * 19, "\xb2"])
def test_a_time_that_is_none_is_a_bad_request(starter: Starter, value: str) -> None:
    worker = starter.worker(APP)
    with ask(worker, JUMPSEAT_TIME_LIMIT=value) as exchange:
        assert exchange.answer().status == "400 Bad Request"


@pytest.mark.parametrize("variables", [{}, TAKEN])
def test_a_request_whose_client_has_left_the_queue_is_not_run(starter: Starter, variables: dict[str, str]) -> None:
    worker = starter.worker(APP)
    with worker.group.client().open(path="/wait") as first:
        worker.output.wait_for("waiting")
        worker.group.client().open(path="/?print('was run')", variables=variables).close()
        starter.write("", "gate")
        assert first.answer().complete
    assert worker.get().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert "was run" not in worker.output.wait_for_end()
    assert worker.group.slot(0).requests == 2


def test_a_request_in_the_queue_whose_client_has_only_ended_its_own_side_is_run(starter: Starter) -> None:
    worker = starter.worker(APP)
    with worker.group.client().open(path="/wait") as first, worker.group.client().open(framed=False) as second:
        worker.output.wait_for("waiting")
        second.socket.shutdown(1)
        starter.write("", "gate")
        assert first.answer().complete
        assert second.answer().text == "ok"


def test_the_body_of_a_request_that_is_not_run_leaves_no_descriptor(starter: Starter) -> None:
    worker = starter.worker(APP)
    worker.get()
    worker.group.wait_for(lambda group: group.slot(0)[2:5] == (0, 1, 1))  # the connection is closed before that
    before = sorted(os.listdir(f"/proc/{worker.pid}/fd"))
    body = starter.write("the body", "body")
    with open(body, "rb") as file:
        variables = {**TAKEN, "JUMPSEAT_START_BEFORE": "1"}
        with worker.group.client().open(
            "POST", length=8, kind="file", descriptors=(file.fileno(),), variables=variables
        ) as exchange:
            assert exchange.read(len(SIGN + TOO_LATE) + 1) == SIGN + TOO_LATE
    assert worker.get().text == "ok"
    deadline = time.monotonic() + 30
    while sorted(os.listdir(f"/proc/{worker.pid}/fd")) != before:
        assert time.monotonic() < deadline


def test_the_sign_names_the_route_of_a_worker_with_a_socket_of_its_own(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    worker = preloader.fork(own=preloader.group.own_socket("0123456789abcdef"))
    with ask(worker) as exchange:
        assert exchange.read_until(b"\r\n\r\n") == b"Status: 102 Processing\r\nRoute: 0123456789abcdef\r\n\r\n"
        assert exchange.answer().text == "ok"
