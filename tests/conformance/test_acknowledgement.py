"""The acknowledgement of a request, its deadlines, and what is not run any more (docs/protocol.md, section 2)."""

from __future__ import annotations

import os
import time

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.httpd_side import Exchange
from tests.conformance.harness.loader_process import Process

ACKNOWLEDGEMENT = b"Status: 102 Processing\r\n\r\n"
TOO_LATE = b"Status: 102 Too Late\r\n\r\n"
ACKNOWLEDGE = {"JUMPSEAT_ACKNOWLEDGE": "1"}
SECOND = 1_000_000_000

pytestmark = [pytest.mark.needs("acknowledge"), pytest.mark.needs("scgi")]


def ask(worker: Process, path: str = "/", **variables: str) -> Exchange:
    return worker.group.client().open(path=path, variables={**ACKNOWLEDGE, **variables})


def test_a_peer_that_asks_for_it_gets_the_acknowledgement_before_the_app_answers(starter: Starter) -> None:
    worker = starter.worker()
    with ask(worker, "/wait") as exchange:
        assert exchange.read_until(b"\r\n\r\n") == ACKNOWLEDGEMENT
        starter.open_gate()
        assert exchange.answer().text == "ok"


def test_a_peer_that_does_not_ask_for_it_gets_none(starter: Starter) -> None:
    worker = starter.worker()
    with worker.group.client().open(variables={"JUMPSEAT_ACKNOWLEDGE": "0"}) as exchange:
        assert exchange.answer().status == "200 OK"


def test_the_app_sees_nothing_of_it(starter: Starter) -> None:
    worker = starter.worker()
    later = str(time.monotonic_ns() + 60 * SECOND)
    with ask(worker, "/variables", JUMPSEAT_START_BEFORE=later, JUMPSEAT_TIME_LIMIT="5000") as exchange:
        answer = exchange.answer("acknowledge")
    assert answer.interims == ["acknowledged:"]
    assert "JUMPSEAT" not in answer.text


def test_a_request_whose_time_in_the_queue_is_over_is_told_so_and_not_run(starter: Starter) -> None:
    worker = starter.worker()
    with ask(worker, "/say?was run", JUMPSEAT_START_BEFORE=str(time.monotonic_ns())) as exchange:
        assert exchange.read(len(ACKNOWLEDGEMENT + TOO_LATE) + 1) == ACKNOWLEDGEMENT + TOO_LATE
    assert worker.get().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert "was run" not in worker.output.wait_for_end()
    assert worker.group.slot(0).requests == 1


def test_a_request_is_run_while_its_time_in_the_queue_is_not_over(starter: Starter) -> None:
    worker = starter.worker()
    with ask(worker, JUMPSEAT_START_BEFORE=str(time.monotonic_ns() + 60 * SECOND)) as exchange:
        assert exchange.read_until(b"\r\n\r\n") == ACKNOWLEDGEMENT
        assert exchange.answer().text == "ok"


def test_the_deadline_of_a_request_is_in_its_cell(starter: Starter) -> None:
    worker = starter.worker()
    before = time.monotonic_ns()
    with ask(worker, "/wait", JUMPSEAT_TIME_LIMIT="1500") as exchange:
        worker.output.wait_for("waiting")
        cell = worker.group.cell(0)
        assert before + 1.5 * SECOND < cell.deadline < time.monotonic_ns() + 1.5 * SECOND
        assert cell.deadline - 1.5 * SECOND <= cell.since
        starter.open_gate()
        exchange.read_until(b"\r\n\r\n")
        assert exchange.answer().complete
    assert worker.get().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert worker.group.cell(0).deadline == 0


def test_a_limit_of_time_without_the_wish_for_an_acknowledgement_does_not_count(starter: Starter) -> None:
    worker = starter.worker()
    variables = {"JUMPSEAT_TIME_LIMIT": "1"}
    with worker.group.client().open(path="/wait", variables=variables) as exchange:
        worker.output.wait_for("waiting")
        assert worker.group.cell(0).deadline == 0
        starter.open_gate()
        assert exchange.answer().text == "ok"


@pytest.mark.parametrize("value", ["", "soon", "-1", "1" * 19, "\xb2"])
def test_a_time_that_is_not_a_number_is_a_bad_request(starter: Starter, value: str) -> None:
    worker = starter.worker()
    with ask(worker, JUMPSEAT_TIME_LIMIT=value) as exchange:
        assert exchange.answer().status == "400 Bad Request"


@pytest.mark.parametrize("variables", [{}, ACKNOWLEDGE])
def test_a_request_whose_client_has_left_the_queue_is_not_run(starter: Starter, variables: dict[str, str]) -> None:
    worker = starter.worker()
    with worker.group.client().open(path="/wait") as first:
        worker.output.wait_for("waiting")
        worker.group.client().open(path="/say?was run", variables=variables).close()
        starter.open_gate()
        assert first.answer().complete
    assert worker.get().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert "was run" not in worker.output.wait_for_end()
    assert worker.group.slot(0).requests == 2


def test_a_request_in_the_queue_whose_client_has_only_ended_its_own_side_is_run(starter: Starter) -> None:
    worker = starter.worker()
    with worker.group.client().open(path="/wait") as first, worker.group.client().open(framed=False) as second:
        worker.output.wait_for("waiting")
        second.socket.shutdown(1)
        starter.open_gate()
        assert first.answer().complete
        assert second.answer().text == "ok"


def test_the_body_of_a_request_that_is_not_run_leaves_no_descriptor(starter: Starter) -> None:
    worker = starter.worker()
    worker.get()
    worker.group.wait_for(lambda group: group.slot(0)[2:5] == (0, 1, 1))  # the connection is closed before that
    before = sorted(os.listdir(f"/proc/{worker.pid}/fd"))
    body = starter.folder / "body"
    body.write_text("the body")
    with open(body, "rb") as file:
        variables = {**ACKNOWLEDGE, "JUMPSEAT_START_BEFORE": "1"}
        with worker.group.client().open(
            "POST", length=8, kind="file", descriptors=(file.fileno(),), variables=variables
        ) as exchange:
            assert exchange.read(len(ACKNOWLEDGEMENT + TOO_LATE) + 1) == ACKNOWLEDGEMENT + TOO_LATE
    assert worker.get().text == "ok"
    deadline = time.monotonic() + 30
    while sorted(os.listdir(f"/proc/{worker.pid}/fd")) != before:
        assert time.monotonic() < deadline


def test_the_acknowledgement_names_the_route_of_a_worker_with_a_socket_of_its_own(starter: Starter) -> None:
    worker = starter.worker(own="0123456789abcdef")
    with ask(worker) as exchange:
        assert exchange.read_until(b"\r\n\r\n") == b"Status: 102 Processing\r\nRoute: 0123456789abcdef\r\n\r\n"
        assert exchange.answer().text == "ok"
