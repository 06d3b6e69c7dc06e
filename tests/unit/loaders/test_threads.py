"""Threads as a Python app sees them (what the protocol says of threads: tests/conformance/test_threads.py)."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.harness.httpd_side import Exchange
from tests.conformance.harness.loader_process import Preloader, Process
from tests.unit.loaders.conftest import Starter

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
