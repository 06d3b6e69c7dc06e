"""How a process retires: told in any way, busy or idle, it loses no connection (docs/protocol.md, section 5)."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import pytest

from spawner.shared import wire
from tests.conformance.conftest import Starter
from tests.conformance.harness.loader_process import Preloader, Process


def end_by_message(worker: Process) -> None:
    worker.retire()


def end_by_closing_the_line(worker: Process) -> None:
    worker.line.close()


def end_by_signal(worker: Process) -> None:
    worker.signal(signal.SIGTERM)


def end_by_interrupt(worker: Process) -> None:
    worker.signal(signal.SIGINT)


def end_by_lifeline(worker: Process) -> None:
    worker.group.end_lifeline()


ENDS = [end_by_message, end_by_closing_the_line, end_by_signal, end_by_interrupt, end_by_lifeline]


@pytest.mark.parametrize("end", ENDS)
def test_an_idle_worker_retires_at_once_and_runs_its_exit_hooks(starter: Starter, end: object) -> None:
    preloader = starter.load() if "fork" in starter.loader.abilities else None
    worker = preloader.fork() if preloader is not None else starter.direct()
    end(worker)  # type: ignore[operator]
    worker.wait_for_end()
    pid = worker.pid
    assert worker.output.wait_for_end().endswith(f"after_fork in {pid}\nbefore_exit in {pid}\n")
    if isinstance(worker, Preloader):
        assert worker.child.wait(30) == 0
    elif preloader is not None and end is not end_by_lifeline:
        assert preloader.line.expect("exited")["status"] == "0"


@pytest.mark.parametrize("end", ENDS)
def test_a_busy_worker_finishes_its_request_before_it_retires(starter: Starter, end: object) -> None:
    worker = starter.worker()
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        end(worker)  # type: ignore[operator]
        starter.open_gate()
        assert exchange.answer().text == "ok"
    worker.wait_for_end()
    assert "before_exit" in worker.output.wait_for_end()


@pytest.mark.needs("fork")
def test_a_retired_worker_takes_no_further_connection(starter: Starter) -> None:
    preloader = starter.load()
    worker = preloader.fork()
    with worker.group.client().open(path="/wait") as first, worker.group.client().open() as second:
        worker.output.wait_for("waiting")
        worker.retire()
        starter.open_gate()
        assert first.answer().complete
        worker.wait_for_end()
        other = preloader.fork()
        assert second.answer().header("X-Pid") == str(other.pid)


@pytest.mark.needs("scgi")
def test_a_connection_that_was_accepted_but_has_sent_nothing_is_served_before_the_worker_goes(starter: Starter) -> None:
    worker = starter.worker()
    with worker.group.client().connect() as silent:
        deadline = time.monotonic() + 30
        while not worker.group.slot(0).running:
            assert time.monotonic() < deadline
        worker.retire()
        silent.socket.settimeout(0.1)
        with pytest.raises(socket.timeout):
            silent.socket.recv(1)
        silent.socket.settimeout(30)
        with worker.group.client().open() as unserved:
            head = [("CONTENT_LENGTH", "0"), ("SCGI", "1"), ("JUMPSEAT_TOKEN", worker.group.token)]
            framed = [("JUMPSEAT_FRAMED", "1")] if "frames" in starter.loader.abilities else []
            silent.send(wire.encode_text([*head, *framed]))
            assert silent.answer().text == "ok"
            worker.wait_for_end()
            assert unserved.socket.fileno() >= 0


@pytest.mark.needs("fork")
def test_no_request_is_lost_while_workers_come_and_go(starter: Starter) -> None:
    """Each of many clients gets its answer, although workers are swapped under them all the time."""
    preloader = starter.load()
    worker = preloader.fork(slot=0)
    client = worker.group.client()
    stop = threading.Event()
    wrong: list[object] = []

    def keep_asking() -> None:
        while not stop.is_set():
            answer = client.ask()
            if answer.text != "ok" or not answer.complete:
                wrong.append(answer)

    askers = [threading.Thread(target=keep_asking) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for turn in range(12):
            successor = preloader.fork(slot=(turn + 1) % 8)
            worker.retire()
            worker.wait_for_end()
            worker = successor
    finally:
        stop.set()
        for asker in askers:
            asker.join(30)
    assert not wrong


@pytest.mark.needs("fork")
def test_a_connection_that_wakes_a_worker_told_to_retire_at_the_same_time_is_served(starter: Starter) -> None:
    """The exclusive watch has told no other worker of it."""
    preloader = starter.load()
    for turn in range(20):
        first = preloader.fork(slot=0)
        other = preloader.fork(slot=1)
        os.kill(first.pid, signal.SIGSTOP)
        with first.group.client().open() as exchange:
            first.retire()
            os.kill(first.pid, signal.SIGCONT)
            assert exchange.answer().text == "ok", turn
        other.retire()
        for worker in (first, other):
            worker.wait_for_end()


@pytest.mark.needs("fork")
def test_killing_the_preloader_leaves_its_workers_serving(starter: Starter) -> None:
    preloader = starter.load()
    worker = preloader.fork()
    preloader.kill()
    assert worker.get().header("X-Pid") == str(worker.pid)
    worker.retire()
    worker.wait_for_end()
    assert "before_exit" in worker.output.wait_for_end()


@pytest.mark.needs("fork")
@pytest.mark.parametrize("end", ENDS)
def test_a_preloader_that_ends_leaves_its_workers_serving_unless_all_is_over(starter: Starter, end: object) -> None:
    preloader = starter.load()
    worker = preloader.fork()
    end(preloader)  # type: ignore[operator]
    status = preloader.child.wait(30)
    assert status == (-signal.SIGINT if end is end_by_interrupt else 0)
    assert "before_exit" not in preloader.output.wait_for_end()
    if end is end_by_lifeline:
        worker.wait_for_end()
    else:
        assert worker.get().text == "ok"
