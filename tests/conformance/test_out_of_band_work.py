"""Out-of-band work: the app requests it, the spawner grants it, the worker does it (docs/protocol.md, section 5)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.loader_process import Process

pytestmark = [pytest.mark.needs("out-of-band-work"), pytest.mark.needs("fork")]
REQUEST = "/request-out-of-band-work"


def granted(worker: Process) -> Process:
    """Have its app request the work, and grant it."""
    assert worker.get(REQUEST).text == "ok"
    worker.line.expect("work_requested")
    worker.line.send("work_granted")
    return worker


def test_the_work_is_done_when_it_is_granted_and_not_before(worker: Process) -> None:
    assert worker.get(REQUEST).text == "ok"
    worker.line.expect("work_requested")
    assert "out-of-band work" not in worker.output.text()
    worker.line.send("work_granted")
    assert float(worker.line.expect("work_done")["seconds"]) >= 0
    assert "out-of-band work\n" in worker.output.text()
    assert worker.get().text == "ok"


def test_it_is_requested_once_until_it_is_done(worker: Process) -> None:
    for _ in range(3):
        worker.get(REQUEST)
    worker.line.expect("work_requested")
    worker.line.send("work_granted")
    worker.line.expect("work_done")
    worker.get(REQUEST)
    worker.line.expect("work_requested")


def test_a_worker_at_its_work_accepts_no_request_and_shows_it_in_the_scoreboard(starter: Starter) -> None:
    starter.open_gate("slow-work")
    preloader = starter.load()
    worker = granted(preloader.fork())
    worker.output.wait_for("out-of-band work")
    assert worker.group.slot(0)[:3] == (2, worker.pid, 0)
    with worker.group.client().open() as exchange:
        other = preloader.fork()
        assert exchange.answer().header("X-Pid") == str(other.pid)
        starter.open_gate("work")
    worker.line.expect("work_done")
    worker.group.wait_for(lambda group: group.slot(0).state == 1)


def test_a_worker_that_is_to_retire_finishes_its_work(starter: Starter) -> None:
    starter.open_gate("slow-work")
    worker = granted(starter.worker())
    worker.output.wait_for("out-of-band work")
    worker.retire()
    starter.open_gate("work")
    worker.line.expect("work_done")
    worker.wait_for_end()
    assert worker.output.wait_for_end().endswith(f"out-of-band work\nbefore_exit in {worker.pid}\n")


@pytest.mark.needs("threads")
def test_with_threads_the_work_waits_until_no_request_is_left(starter: Starter) -> None:
    worker = starter.worker(threads="3")
    with ExitStack() as stack:
        held = [stack.enter_context(worker.group.client().open(path=f"/wait{number}")) for number in (1, 2)]
        for number in (1, 2):
            worker.output.wait_for(f"waiting{number}\n")
        granted(worker)
        queued = stack.enter_context(worker.group.client().open())
        for number, exchange in zip((2, 1), reversed(held)):
            assert "out-of-band work" not in worker.output.text()
            starter.open_gate(f"gate{number}")
            assert exchange.answer().text == "ok"
        worker.line.expect("work_done")
        assert queued.answer().text == "ok"


def test_the_work_is_no_request(starter: Starter) -> None:
    worker = granted(starter.worker())
    worker.line.expect("work_done")
    worker.retire()
    worker.wait_for_end()
    assert worker.group.slot(0).requests == 1
