"""A worker with threads: several requests at once, and no more than it has threads (docs/protocol.md, section 5)."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.httpd_side import Exchange
from tests.conformance.harness.loader_process import Group, Process
from tests.conformance.test_retirement import ENDS, end_by_lifeline

pytestmark = [pytest.mark.needs("threads"), pytest.mark.needs("fork")]


def waiting(stack: ExitStack, worker: Process, number: int) -> Exchange:
    """Send a request that the app is in until `gate<number>` is there."""
    exchange = stack.enter_context(worker.group.client().open(path=f"/wait{number}"))
    worker.output.wait_for(f"waiting{number}\n")
    return exchange


def running(group: Group) -> list[int]:
    """Return in how many requests the first two workers are."""
    return [group.slot(number).running for number in (0, 1)]


def wait_until_asleep(worker: Process) -> None:
    """Wait until one of its threads waits for connections."""
    deadline = time.monotonic() + 30
    while not any(where.startswith(("ep_", "do_epoll")) for where in waits(worker)):
        assert time.monotonic() < deadline, waits(worker)
        time.sleep(0.001)


def waits(worker: Process) -> list[str]:
    """Return what each of its threads waits for."""
    return [path.read_text() for path in Path(f"/proc/{worker.pid}/task").glob("*/wchan")]


def cpu_ticks(worker: Process) -> int:
    fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_as_many_requests_are_served_at_once_as_there_are_threads(starter: Starter) -> None:
    worker = starter.worker(threads="3")
    with ExitStack() as stack:
        exchanges = [waiting(stack, worker, number) for number in range(3)]
        assert worker.group.slot(0)[2:5] == (3, 3, 0)
        for number in (1, 2, 0):
            starter.open_gate(f"gate{number}")
            assert exchanges[number].answer().text == "ok"
    worker.group.wait_for(lambda group: group.slot(0)[2:5] == (0, 3, 3))


def test_a_worker_takes_no_connection_that_it_has_no_thread_for(starter: Starter) -> None:
    preloader = starter.load(threads="2")
    worker = preloader.fork()
    with ExitStack() as stack:
        first, second = waiting(stack, worker, 1), waiting(stack, worker, 2)
        third = stack.enter_context(worker.group.client().open())
        other = preloader.fork()
        assert third.answer().header("X-Pid") == str(other.pid)
        for number, exchange in ((1, first), (2, second)):
            starter.open_gate(f"gate{number}")
            assert exchange.answer().text == "ok"


def test_a_thread_that_becomes_free_takes_the_next_request_at_once(starter: Starter) -> None:
    worker = starter.worker(threads="2")
    with ExitStack() as stack:
        first, second = waiting(stack, worker, 1), waiting(stack, worker, 2)
        third = stack.enter_context(worker.group.client().open())
        starter.open_gate("gate2")
        assert second.answer().text == "ok"
        assert third.answer().text == "ok"
        starter.open_gate("gate1")
        assert first.answer().text == "ok"


def test_a_busy_worker_leaves_a_connection_to_one_that_has_nothing_to_do(starter: Starter) -> None:
    """Once it has two; the first two may go to the same worker, so that idle ones can end."""
    preloader = starter.load(threads="4")
    workers = [preloader.fork(), preloader.fork()]
    with ExitStack() as stack:
        for number in range(3):
            for worker in workers:
                wait_until_asleep(worker)
            stack.enter_context(preloader.group.client().open(path=f"/wait{number}"))
            preloader.group.wait_for(lambda group, sent=number + 1: sum(running(group)) == sent)  # type: ignore[misc]
        assert sorted(running(preloader.group)) == [1, 2]
        for number in range(3):
            starter.open_gate(f"gate{number}")


def test_each_request_has_a_cell_of_its_own(starter: Starter) -> None:
    worker = starter.worker(threads="2")
    with ExitStack() as stack:
        first, second = waiting(stack, worker, 1), waiting(stack, worker, 2)
        for number, path in ((0, b"/wait1"), (1, b"/wait2")):
            cell = worker.group.cell(0, number)
            assert cell.state == 1
            assert b"REQUEST_URI\0" + path + b"\0" in cell.text[: cell.length]
        starter.open_gate("gate1")
        assert first.answer().complete
        worker.group.wait_for(lambda group: not group.cell(0, 0).state)
        assert worker.group.cell(0, 1).state == 1
        starter.open_gate("gate2")
        assert second.answer().complete


@pytest.mark.parametrize("end", ENDS)
def test_a_worker_finishes_all_its_requests_before_it_retires(starter: Starter, end: object) -> None:
    preloader = starter.load(threads="3")
    worker = preloader.fork()
    with ExitStack() as stack:
        first, second = waiting(stack, worker, 1), waiting(stack, worker, 2)
        end(worker)  # type: ignore[operator]
        if end is not end_by_lifeline:
            assert preloader.fork().get().text == "ok"
        for number, exchange in ((2, second), (1, first)):
            starter.open_gate(f"gate{number}")
            assert exchange.answer().text == "ok"
    worker.wait_for_end()
    assert "before_exit" in worker.output.wait_for_end()


def test_a_worker_that_retires_sleeps_while_it_waits_for_a_request(starter: Starter) -> None:
    worker = starter.worker(threads="2")
    with ExitStack() as stack:
        exchange = waiting(stack, worker, 1)
        worker.line.close()  # readable from now on: what listened to it would not sleep
        before = cpu_ticks(worker)
        exchange.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            exchange.socket.recv(1)
        assert cpu_ticks(worker) - before <= 0.25 * os.sysconf("SC_CLK_TCK")
        exchange.socket.settimeout(30)
        starter.open_gate("gate1")
        assert exchange.answer().text == "ok"


def test_no_request_is_lost_or_mixed_up_between_threads(starter: Starter) -> None:
    worker = starter.worker(threads="4")
    with ExitStack() as stack:
        for _ in range(30):
            client = worker.group.client()
            texts = [str(number) for number in range(16)]
            exchanges = [stack.enter_context(client.open("POST", "/echo", text.encode())) for text in texts]
            assert [exchange.answer().text for exchange in exchanges] == texts
    worker.group.wait_for(lambda group: group.slot(0)[2:5] == (0, 4, 480))
