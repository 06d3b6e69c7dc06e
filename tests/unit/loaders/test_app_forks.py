"""Processes that an app forks itself: they take no part in what the process that they are a copy of does."""

from __future__ import annotations

import signal

import pytest

from tests.conformance.harness.httpd_side import Answer
from tests.conformance.harness.loader_process import Process
from tests.unit.loaders.conftest import INTERPRETERS, Starter

WITH_HOOKS = [name for name in INTERPRETERS if name != "cpython3.6"]  # Python 3.6 tells nobody of a fork

APP = """
import os, signal, sys, time

def application(environ, start_response):
    pid = os.fork()
    if pid == 0:
        CHILD
    TERMINATE
    status = os.waitpid(pid, 0)[1]
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid()))])
    return [str(status).encode()]
"""


def forking(child: str, terminate: str = "") -> str:
    return APP.replace("CHILD", child).replace("TERMINATE", terminate)


def ask_twice(worker: Process) -> Answer:
    """The first answer. The worker lives on, for it gives the second one as well."""
    first, second = worker.get(), worker.get()
    assert (first.text, first.header("X-Pid")) == (second.text, str(worker.pid)), worker.output.text()
    assert second.header("X-Pid") == str(worker.pid)
    return first


@pytest.fixture(params=["1", "3"])
def threads(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("python", WITH_HOOKS, indirect=True)
class TestCopies:
    def start(self, starter: Starter, source: str, threads: str) -> Process:
        preloader = starter.start(source)
        preloader.load(threads=threads)
        return preloader.fork()

    def test_a_forked_child_can_be_terminated_and_its_worker_serves_on(self, starter: Starter, threads: str) -> None:
        source = forking("time.sleep(60)", "os.kill(pid, signal.SIGTERM)")
        worker = self.start(starter, source, threads)
        assert ask_twice(worker).text == str(signal.SIGTERM.value)

    @pytest.mark.parametrize(
        ("end", "status"), [("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('no luck')", 1), ("1/0", 1)]
    )
    def test_a_forked_child_that_leaves_the_app_ends_and_answers_nobody(
        self, starter: Starter, threads: str, end: str, status: int
    ) -> None:
        worker = self.start(starter, forking(end), threads)
        assert ask_twice(worker).text == str(status << 8)

    def test_a_forked_child_that_returns_from_the_app_ends_and_answers_nobody(
        self, starter: Starter, threads: str
    ) -> None:
        worker = self.start(starter, forking("return [b'of the child']"), threads)
        assert ask_twice(worker).text == "0"

    def test_what_a_forked_child_raises_is_in_the_log(self, starter: Starter) -> None:
        worker = self.start(starter, forking("1/0"), "1")
        worker.get()
        assert "jumpseat: a process that the app has forked ends" in worker.output.text()
        assert "ZeroDivisionError" in worker.output.text()

    def test_a_pool_of_processes_ends_with_its_block(self, starter: Starter, threads: str) -> None:
        source = """
            import multiprocessing, os

            context = multiprocessing.get_context("fork")

            def application(environ, start_response):
                with context.Pool(2) as pool:
                    body = str(pool.map(abs, [-1, -2])).encode()
                pool.join()
                start_response("200 OK", [("X-Pid", str(os.getpid()))])
                return [body]
        """
        worker = self.start(starter, source, threads)
        assert ask_twice(worker).text == "[1, 2]"

    def test_a_child_that_is_forked_at_import_and_exits_tells_nobody_that_the_app_has_failed(
        self, starter: Starter
    ) -> None:
        source = """
            import os, sys

            if os.fork() == 0:
                sys.exit(3)
            status = os.wait()[1]

            def application(environ, start_response):
                start_response("200 OK", [])
                return [str(status).encode()]
        """
        preloader = starter.start(source)
        preloader.load()
        assert preloader.fork().get().text == str(3 << 8)

    @pytest.mark.parametrize("direct", [False, True])
    def test_a_child_that_is_forked_at_import_and_returns_from_it_ends_and_serves_nobody(
        self, starter: Starter, direct: bool
    ) -> None:
        source = """
            import os

            child = os.fork()
            ended = os.waitpid(child, 0)[1] if child else None

            def application(environ, start_response):
                start_response("200 OK", [])
                return [str(ended).encode()]
        """
        preloader = starter.start(source)
        if direct:
            preloader.serve()
            assert preloader.get().text == "0"
        else:
            preloader.load()
            assert preloader.fork().get().text == "0"

    def test_a_signal_for_a_worker_that_is_not_up_yet_does_not_end_its_preloader(self, starter: Starter) -> None:
        source = """
            import os, signal

            def hit():
                if not os.path.exists("hit"):
                    open("hit", "w").close()
                    os.kill(os.getpid(), signal.SIGTERM)

            os.register_at_fork(after_in_child=hit)

            def application(environ, start_response):
                start_response("200 OK", [])
                return [b"served"]
        """
        preloader = starter.start(source)
        preloader.load()
        preloader.send_fork(0)
        ended = preloader.line.expect("exited")
        assert int(ended["status"]) == signal.SIGTERM
        assert preloader.fork(1).get().text == "served"

    def test_a_handler_that_the_app_has_set_at_import_is_set_in_its_workers_and_their_copies(
        self, starter: Starter
    ) -> None:
        source = """
            import os, signal, time

            counted = []
            signal.signal(signal.SIGCHLD, lambda number, frame: counted.append(number))
            signal.signal(signal.SIGTERM, lambda number, frame: os._exit(7))

            def application(environ, start_response):
                pid = os.fork()
                while pid == 0:
                    time.sleep(0.05)  # not signal.pause(): the signal may come just before it
                os.kill(pid, signal.SIGTERM)
                status = os.waitpid(pid, 0)[1]
                start_response("200 OK", [("X-Pid", str(os.getpid()))])
                return [str((status >> 8, len(counted) > 0)).encode()]
        """
        assert ask_twice(self.start(starter, source, "1")).text == "(7, True)"
