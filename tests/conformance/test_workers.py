"""Processes that serve: forked ones and direct ones (docs/protocol.md, section 5)."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.httpd_side import Answer
from tests.conformance.harness.loader_process import SLOTS, Process


def links(pid: int) -> list[str]:
    """Return what its descriptors lead to, without those that it closes this moment."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sorted(found)


@pytest.mark.needs("fork")
def test_workers_are_copies_of_what_was_loaded_once(starter: Starter) -> None:
    preloader = starter.load()
    first, second = preloader.fork(), preloader.fork()
    assert len({preloader.pid, first.pid, second.pid}) == 3
    for worker in (first, second):
        worker.output.wait_for(f"after_fork in {worker.pid}\n")
    first.retire()
    first.wait_for_end()
    answer = second.get("/imported-by")
    assert (answer.text, answer.header("X-Pid")) == (str(preloader.pid), str(second.pid))
    assert preloader.output.text() == "importing\n"


@pytest.mark.needs("fork")
def test_a_preloader_names_each_worker_that_it_forks(starter: Starter) -> None:
    preloader = starter.load()
    for slot in (3, 5):
        worker = preloader.fork(slot)
        assert preloader.line.expect("forked") == {"type": "forked", "slot": str(slot), "pid": str(worker.pid)}


@pytest.mark.needs("fork")
def test_the_output_of_a_worker_is_its_own(starter: Starter) -> None:
    preloader = starter.load()
    worker = preloader.fork()
    assert worker.get("/say?hello").text == "ok"
    worker.output.wait_for("hello\n")
    assert preloader.output.text() == "importing\n"


@pytest.mark.needs("fork")
def test_a_slot_that_the_scoreboard_does_not_have_ends_the_worker_only(starter: Starter) -> None:
    preloader = starter.load()
    worker = preloader.begin_fork(slot=SLOTS)
    worker.wait_for_end()
    assert worker.output.wait_for_end(), "it says why in the log"
    assert preloader.line.expect("exited") == {"type": "exited", "pid": str(worker.pid), "status": str(1 << 8)}
    assert preloader.fork(slot=0).get().text == "ok"


@pytest.mark.needs("fork")
@pytest.mark.parametrize(("path", "status"), [("/end?5", 5 << 8), ("/kill", 9)])
def test_the_end_of_a_worker_is_reported_with_its_status(starter: Starter, path: str, status: int) -> None:
    preloader = starter.load()
    worker = preloader.fork()
    assert worker.get(path) == Answer()
    assert preloader.line.expect("exited") == {"type": "exited", "pid": str(worker.pid), "status": str(status)}


@pytest.mark.needs("fork")
def test_a_worker_whose_after_fork_fails_says_so_and_ends_with_1(starter: Starter) -> None:
    preloader = starter.load("fail after fork")
    worker = preloader.begin_fork()
    failure = worker.line.expect("failed")
    assert failure["step"] == "run after_fork()"
    assert "the probe fails on purpose" in failure["summary"]
    worker.wait_for_end()
    assert preloader.line.expect("exited")["status"] == str(1 << 8)


def test_a_process_whose_load_names_a_slot_becomes_a_worker_itself(starter: Starter) -> None:
    process = starter.direct(slot=2)
    answer = process.get()
    assert (answer.text, answer.header("X-Pid")) == ("ok", str(process.pid))
    assert process.group.slot(2).pid == process.pid
    process.retire()
    assert process.child.wait(30) == 0
    hooks = f"importing\nafter_fork in {process.pid}\nbefore_exit in {process.pid}\n"
    assert process.output.wait_for_end() == hooks


@pytest.mark.needs("one-process")
def test_a_process_that_serves_ignores_another_load_and_closes_what_came_with_it(starter: Starter) -> None:
    process = starter.direct(slot=2)
    held = len(os.listdir(f"/proc/{process.pid}/fd"))
    process.send_load(starter.loader.entry("probe"), slot="2")
    assert [process.get().text, process.get().text] == ["ok", "ok"]
    assert len(os.listdir(f"/proc/{process.pid}/fd")) <= held
    assert process.get().text == "ok"
    assert process.get().text == "ok"
    process.retire()
    assert process.child.wait(30) == 0


@pytest.mark.needs("one-process")
def test_a_loaded_process_ends_with_1_when_it_is_told_what_it_does_not_know(starter: Starter) -> None:
    preloader = starter.load()
    preloader.line.send("nonsense")
    assert preloader.child.wait(30) == 1


def test_a_request_leaves_no_descriptor_behind(worker: Process) -> None:
    worker.get()
    # The connection is closed before that.
    worker.group.wait_for(lambda group: (group.slot(0).running, group.slot(0).requests) == (0, 1))
    before = links(worker.pid)
    for _ in range(5):
        worker.get(framed=False)
        worker.get(method="POST", path="/echo", body=b"x" * 200_000)
    deadline = time.monotonic() + 30
    while links(worker.pid) != before:
        assert time.monotonic() < deadline, (before, links(worker.pid))
        time.sleep(0.001)


def test_a_request_that_kills_its_worker_costs_no_other(starter: Starter) -> None:
    process = starter.worker()
    with process.group.client().open(path="/kill") as exchange:
        assert exchange.answer() == Answer()
    process.wait_for_end()
