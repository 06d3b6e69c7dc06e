"""A worker with threads: several requests at once, each in its own thread, and no more than it has threads."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.harness.httpd_side import Exchange
from tests.conformance.harness.loader_process import Group, Preloader, Process
from tests.unit.loaders.conftest import Starter
from tests.unit.loaders.test_retirement import ENDS, end_by_lifeline

APP = "import threading\n" + (Path(__file__).parent / "apps" / "hooks.py").read_text()


def start(starter: Starter, threads: int = 2, app: str = APP, **fields: str) -> Preloader:
    preloader = starter.start(app)
    preloader.load(threads=str(threads), **fields)
    return preloader


def waiting(stack: ExitStack, worker: Process, number: int) -> Exchange:
    """Send a request that the app is in until `gate<number>` is there."""
    exchange = stack.enter_context(worker.group.client().open(path=f"/wait{number}"))
    worker.output.wait_for(f"waiting{number}\n")
    return exchange


def open_gate(starter: Starter, number: int) -> None:
    starter.write("", f"gate{number}")


def running(group: Group) -> list[int]:
    """Return in how many requests the first two workers are."""
    return [group.slot(number).running for number in (0, 1)]


def wait_until_asleep(worker: Process) -> None:
    """Wait until its main thread waits for connections."""
    deadline = time.monotonic() + 30
    while not Path(f"/proc/{worker.pid}/wchan").read_text().startswith(("ep_", "do_epoll")):
        assert time.monotonic() < deadline, Path(f"/proc/{worker.pid}/wchan").read_text()
        time.sleep(0.001)


def cpu_ticks(worker: Process) -> int:
    fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_as_many_requests_are_served_at_once_as_there_are_threads(starter: Starter) -> None:
    worker = start(starter, 3).fork()
    with ExitStack() as stack:
        exchanges = [waiting(stack, worker, number) for number in range(3)]
        assert worker.group.slot(0)[2:5] == (3, 3, 0)
        for number in (1, 2, 0):
            open_gate(starter, number)
            assert exchanges[number].answer().text == "ok"
    worker.group.wait_for(lambda group: group.slot(0)[2:5] == (0, 3, 3))


def test_a_worker_takes_no_connection_that_it_has_no_thread_for(starter: Starter) -> None:
    preloader = start(starter, 2)
    worker = preloader.fork()
    with ExitStack() as stack:
        first, second = waiting(stack, worker, 1), waiting(stack, worker, 2)
        third = stack.enter_context(worker.group.client().open())
        other = preloader.fork()
        assert third.answer().header("X-Pid") == str(other.pid)
        for number, exchange in ((1, first), (2, second)):
            open_gate(starter, number)
            assert exchange.answer().text == "ok"


def test_a_thread_that_becomes_free_takes_the_next_request_at_once(starter: Starter) -> None:
    worker = start(starter, 2).fork()
    with ExitStack() as stack:
        first, second = waiting(stack, worker, 1), waiting(stack, worker, 2)
        third = stack.enter_context(worker.group.client().open())
        open_gate(starter, 2)
        assert second.answer().text == "ok"
        assert third.answer().text == "ok"
        open_gate(starter, 1)
        assert first.answer().text == "ok"


def test_a_busy_worker_leaves_a_connection_to_one_that_has_nothing_to_do(starter: Starter) -> None:
    """Once it has two; the first two may go to the same worker, so that idle ones can end."""
    preloader = start(starter, 4)
    workers = [preloader.fork(), preloader.fork()]
    with ExitStack() as stack:
        for number in range(3):
            for worker in workers:
                wait_until_asleep(worker)
            stack.enter_context(preloader.group.client().open(path=f"/wait{number}"))
            preloader.group.wait_for(lambda group, sent=number + 1: sum(running(group)) == sent)  # type: ignore[misc]
        assert sorted(running(preloader.group)) == [1, 2]
        for number in range(3):
            open_gate(starter, number)


def test_each_request_has_a_cell_of_its_own(starter: Starter) -> None:
    worker = start(starter, 2).fork()
    with ExitStack() as stack:
        first, second = waiting(stack, worker, 1), waiting(stack, worker, 2)
        for number, path in ((0, b"/wait1"), (1, b"/wait2")):
            cell = worker.group.cell(0, number)
            assert cell.state == 1
            assert b"REQUEST_URI\0" + path + b"\0" in cell.text[: cell.length]
        open_gate(starter, 1)
        assert first.answer().complete
        worker.group.wait_for(lambda group: not group.cell(0, 0).state)
        assert worker.group.cell(0, 1).state == 1
        open_gate(starter, 2)
        assert second.answer().complete


def test_the_app_knows_that_it_has_threads_and_their_names(starter: Starter) -> None:
    worker = start(starter, 2).fork()
    seen = worker.get("/?repr((environ['wsgi.multithread'], threading.current_thread().name)).encode()").text
    assert seen == "(True, 'request-1')"


def test_the_hooks_run_in_the_main_thread(starter: Starter) -> None:
    hooks = "def hook():\n    print(threading.current_thread() is threading.main_thread())\n"
    app = APP + hooks + "after_fork = before_exit = hook\n"
    worker = start(starter, 2, app).fork()
    worker.retire()
    worker.wait_for_end()
    assert worker.output.wait_for_end() == "True\nTrue\n"


@pytest.mark.parametrize("failure", ["1/0", "exit(3)", "os.kill(os.getpid(), 15) or 1/0"])
def test_a_request_that_fails_touches_no_other(starter: Starter, failure: str) -> None:
    worker = start(starter, 2).fork()
    with ExitStack() as stack:
        other = waiting(stack, worker, 1)
        assert worker.get("/?" + failure).status == "500 Internal Server Error"
        open_gate(starter, 1)
        assert other.answer().text == "ok"


def test_an_exit_from_a_signal_handler_of_the_app_waits_for_the_requests(starter: Starter) -> None:
    app = "import signal, sys\n" + APP.replace(
        'print("after_fork in", os.getpid())', "signal.signal(signal.SIGUSR2, lambda *a: sys.exit())"
    )
    worker = start(starter, 2, app).fork()
    with ExitStack() as stack:
        exchange = waiting(stack, worker, 1)
        worker.signal(signal.SIGUSR2)
        open_gate(starter, 1)
        assert exchange.answer().text == "ok"
    worker.wait_for_end()


@pytest.mark.parametrize("end", ENDS)
def test_a_worker_finishes_all_its_requests_before_it_retires(starter: Starter, end: object) -> None:
    preloader = start(starter, 3)
    worker = preloader.fork()
    with ExitStack() as stack:
        first, second = waiting(stack, worker, 1), waiting(stack, worker, 2)
        end(worker)  # type: ignore[operator]
        if end is not end_by_lifeline:
            assert preloader.fork().get().text == "ok"
        for number, exchange in ((2, second), (1, first)):
            open_gate(starter, number)
            assert exchange.answer().text == "ok"
    worker.wait_for_end()
    assert "before_exit" in worker.output.wait_for_end()


def test_a_worker_that_retires_sleeps_while_it_waits_for_a_request(starter: Starter) -> None:
    worker = start(starter, 2).fork()
    with ExitStack() as stack:
        exchange = waiting(stack, worker, 1)
        worker.line.close()  # readable from now on: what listened to it would not sleep
        before = cpu_ticks(worker)
        exchange.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            exchange.socket.recv(1)
        assert cpu_ticks(worker) - before <= 0.25 * os.sysconf("SC_CLK_TCK")
        exchange.socket.settimeout(30)
        open_gate(starter, 1)
        assert exchange.answer().text == "ok"


def test_no_request_is_lost_or_mixed_up_between_threads(starter: Starter) -> None:
    worker = start(starter, 4).fork()
    with ExitStack() as stack:
        for _ in range(30):
            client = worker.group.client()
            exchanges = [stack.enter_context(client.open(path=f"/?str({number}).encode()")) for number in range(16)]
            assert [exchange.answer().text for exchange in exchanges] == [str(number) for number in range(16)]
    worker.group.wait_for(lambda group: group.slot(0)[2:5] == (0, 4, 480))


def test_more_threads_than_the_scoreboard_has_cells_are_refused(starter: Starter) -> None:
    worker = start(starter, 129).begin_fork()
    worker.wait_for_end()
    assert "a worker cannot be in 129 requests" in worker.output.wait_for_end()


def test_an_app_that_replaces_threading_is_served_by_real_threads(starter: Starter) -> None:
    """As gevent's monkey patching does, but these would fail instead of switching."""
    replaced = "import _thread\ndef refuse(*a, **k):\n    raise RuntimeError\n_thread.start_new_thread = refuse\n"
    replaced += "_thread.allocate_lock = threading._start_new_thread = threading._allocate_lock = refuse\n"
    worker = start(starter, 2, APP + replaced).fork()
    with ExitStack() as stack:
        first = waiting(stack, worker, 1)
        assert worker.get().text == "ok"
        open_gate(starter, 1)
        assert first.answer().text == "ok"
