"""What a worker writes into the scoreboard, of itself and of its request (docs/protocol.md, section 6)."""

from __future__ import annotations

import os
import time

import pytest

from spawner.shared import wire
from tests.conformance.conftest import Starter
from tests.conformance.harness.loader_process import CELL, CELL_SIZE, SLOT_SIZE, SLOTS, Cell

NOTHING = Cell(0, 0, 0, 0, bytes(488))


@pytest.mark.needs("fork")
def test_the_worker_says_in_the_scoreboard_what_it_does(starter: Starter) -> None:
    preloader = starter.load()
    before = time.monotonic_ns()
    worker = preloader.fork(slot=3)
    ready = worker.group.slot(3)
    assert ready[:5] == (1, worker.pid, 0, 1, 0)
    assert before < ready.idle_since < time.monotonic_ns()
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        busy = worker.group.slot(3)
        assert busy[:5] == (1, worker.pid, 1, 1, 0)
        assert ready.idle_since < busy.busy_since < time.monotonic_ns()
        starter.open_gate()
        assert exchange.answer().complete
    worker.retire()
    worker.wait_for_end()
    gone = worker.group.slot(3)
    assert gone[:5] == (0, worker.pid, 0, 1, 1)
    assert gone.idle_since > gone.busy_since == busy.busy_since
    assert worker.group.slot(2) == (0, 0, 0, 0, 0, 0, 0, 0)


def test_the_scoreboard_counts_the_requests_that_a_worker_is_in(starter: Starter) -> None:
    worker = starter.worker()
    assert worker.group.slot(0)[:3] == (1, worker.pid, 0)
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        worker.group.wait_for(lambda group: group.slot(0)[:3] == (1, worker.pid, 1))
        starter.open_gate()
        assert exchange.answer().complete
    worker.group.wait_for(lambda group: (group.slot(0).running, group.slot(0).requests) == (0, 1))


@pytest.mark.needs("cells")
def test_a_cell_shows_the_request_while_the_worker_is_in_it(starter: Starter) -> None:
    worker = starter.worker()
    before = time.monotonic_ns()
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        worker.group.wait_for(lambda group: group.cell(0).state)
        cell = worker.group.cell(0)
        assert (cell.state, cell.deadline) == (1, 0)
        assert before < cell.since < time.monotonic_ns()
        text = wire.split_native(cell.text[: cell.length])
        shown = dict(zip(text[::2], text[1::2]))
        assert (shown["REQUEST_METHOD"], shown["REQUEST_URI"]) == ("GET", "/wait")
        starter.open_gate()
        assert exchange.answer().complete
    worker.retire()
    worker.wait_for_end()
    assert worker.group.cell(0)[:4] == NOTHING[:4]


@pytest.mark.needs("scgi")
def test_a_cell_holds_the_beginning_of_a_long_head(starter: Starter) -> None:
    worker = starter.worker()
    with worker.group.client().open(path="/wait", variables={"HTTP_X": "x" * 5000}) as exchange:
        worker.output.wait_for("waiting")
        cell = worker.group.cell(0)
        assert cell.length == 488
        assert cell.text.startswith(b"CONTENT_LENGTH\0000\0SCGI\0001\0REQUEST_METHOD\0GET\0")
        assert cell.text.endswith(b"xxx")
        starter.open_gate()
        assert exchange.answer().complete


def test_a_request_writes_nothing_beyond_the_slots_first_cell(starter: Starter) -> None:
    worker = starter.worker()
    worker.get(variables={"HTTP_X": "x" * 5000})
    board = os.pread(worker.group.scoreboard, SLOTS * SLOT_SIZE, 0)
    assert not any(board[2 * CELL_SIZE :])


@pytest.mark.needs("fork")
def test_a_worker_empties_the_cell_of_one_that_was_killed_in_a_request(starter: Starter) -> None:
    preloader = starter.load()
    os.pwrite(preloader.group.scoreboard, CELL.pack(1, 3, 4, 5, b"abc"), CELL_SIZE)
    preloader.fork(slot=0)
    assert preloader.group.cell(0)[:4] == NOTHING[:4]


@pytest.mark.needs("token")
def test_only_what_the_app_was_called_for_counts_as_a_request(starter: Starter) -> None:
    worker = starter.worker()
    assert worker.get(token="wrong").status == "403 Forbidden"
    worker.group.client().connect().close()
    assert worker.get().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert worker.group.slot(0).requests == 1
