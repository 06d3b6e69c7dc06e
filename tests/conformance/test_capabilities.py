"""What a loader says that it can do, and what it does only then (docs/protocol.md, section 5)."""

from __future__ import annotations

import time

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.loader_process import Process


def test_a_worker_says_with_ready_what_it_can_do(worker: Process, starter: Starter) -> None:
    assert frozenset(worker.ready.get("capabilities", "").split()) == starter.loader.capabilities


def test_a_direct_process_says_the_same(starter: Starter) -> None:
    assert frozenset(starter.direct().ready.get("capabilities", "").split()) == starter.loader.capabilities


def test_a_plain_scgi_request_is_answered_as_cgi_up_to_the_end_of_the_connection(starter: Starter) -> None:
    worker = starter.worker(token="")
    answer = worker.get("/echo", method="POST", body=b"abc" * 1000, framed=False, kind="", token="")
    assert (answer.status, answer.body) == ("200 OK", b"abc" * 1000)


@pytest.mark.needs("cancel")
@pytest.mark.needs("threads")
def test_one_request_can_be_cancelled_and_the_others_go_on(starter: Starter) -> None:
    worker = starter.worker(threads="3")
    client = worker.group.client()
    with client.open(path="/wait1") as first, client.open(path="/wait2") as second:
        worker.output.wait_for("waiting1")
        worker.output.wait_for("waiting2")
        cells = [worker.group.cell(0, number) for number in range(3)]
        (number,) = [number for number, cell in enumerate(cells) if b"/wait1" in cell.text]
        worker.line.send("cancel", ("cell", str(number)), ("since", str(cells[number].since)))
        first.answer()
        worker.group.wait_for(lambda group: group.slot(0).running == 1)
        starter.open_gate("gate2")
        assert second.answer().text == "ok"
    assert worker.get().text == "ok"


@pytest.mark.needs("cancel")
def test_a_request_that_is_over_is_not_confused_with_the_one_that_has_its_cell_now(starter: Starter) -> None:
    worker = starter.worker()
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        worker.line.send("cancel", ("cell", "0"), ("since", str(worker.group.cell(0).since - 1)))
        worker.line.send("cancel", ("cell", "7"), ("since", "1"))
        starter.open_gate()
        assert exchange.answer().text == "ok"


@pytest.mark.parametrize("again", [False, True])
def test_a_worker_that_is_told_when_it_will_be_killed_retires_like_any_other(starter: Starter, again: bool) -> None:
    worker = starter.worker()
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        if again:
            worker.retire()
        worker.retire(("deadline", str(time.monotonic_ns() + 10**10)))
        starter.open_gate()
        assert exchange.answer().text == "ok"
    worker.wait_for_end()


@pytest.mark.needs("threads")
def test_a_worker_can_be_in_more_requests_than_a_slot_has_cells(starter: Starter) -> None:
    worker = starter.worker(threads="130")
    assert worker.group.slot(0).capacity == 130
    exchanges = [worker.group.client().open(path="/wait") for _ in range(130)]
    try:
        worker.group.wait_for(lambda group: group.slot(0).running == 130)
        worker.group.wait_for(lambda group: all(group.cell(0, number).state for number in range(128)))
        starter.open_gate()
        assert {exchange.answer().text for exchange in exchanges} == {"ok"}
    finally:
        for exchange in exchanges:
            exchange.close()
    worker.group.wait_for(lambda group: not group.slot(0).running)
    assert worker.group.slot(1)[:5] == (0, 0, 0, 0, 0)


@pytest.mark.needs("threads")
@pytest.mark.needs("acknowledge")
def test_the_first_deadline_of_the_requests_without_a_cell_is_in_the_header(starter: Starter) -> None:
    worker = starter.worker(threads="130")
    client = worker.group.client()
    limit = {"JUMPSEAT_ACKNOWLEDGE": "1", "JUMPSEAT_TIME_LIMIT": "600000"}
    shown = [client.open(path="/wait1") for _ in range(128)]
    hidden = []
    try:
        worker.group.wait_for(lambda group: all(group.cell(0, number).state for number in range(128)))
        assert worker.group.slot(0).hidden_deadline == 0
        before = time.monotonic_ns()
        hidden.append(client.open(path="/wait2", variables=limit))
        worker.group.wait_for(lambda group: group.slot(0).hidden_deadline)
        first = worker.group.slot(0).hidden_deadline
        assert before + 600 * 10**9 <= first <= time.monotonic_ns() + 600 * 10**9
        hidden.append(client.open(path="/wait2", variables=limit))
        worker.group.wait_for(lambda group: group.slot(0).running == 130)
        starter.open_gate("gate2")
        assert [exchange.answer("acknowledge").text for exchange in hidden] == ["ok", "ok"]
        worker.group.wait_for(lambda group: not group.slot(0).hidden_deadline)
        starter.open_gate("gate1")
        assert {exchange.answer().text for exchange in shown} == {"ok"}
    finally:
        for exchange in [*shown, *hidden]:
            exchange.close()
