"""Forked workers and direct ones: what they start with, what they hold, how they end, what outlives what."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from spawner.loaders.python.preloader import Preloader
from tests.conformance.harness.spawner_side import TIMEOUT
from tests.conformance.loaders import ROOT
from tests.unit.loaders.conftest import Starter

APP = (Path(__file__).parent / "apps" / "hooks.py").read_text()


def test_a_workers_output_is_its_own(starter: Starter) -> None:
    preloader = starter.start("import sys\nsys.stdout.write('not flushed while loading')\n" + APP)
    preloader.load()
    worker = preloader.fork()
    worker.get("/?(print('to stdout'), os.write(2, b'to descriptor 2\\n'), b'')[2]")
    assert "to stdout\n" in worker.output.wait_for("to descriptor 2\n")
    assert "not flushed" not in worker.output.text()
    assert preloader.output.text() == "not flushed while loading"


def test_a_slot_that_the_board_does_not_have_ends_the_worker_only(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    worker = preloader.begin_fork(slot=8)
    worker.wait_for_end()
    assert "the scoreboard has no slot 8" in worker.output.wait_for_end()
    assert preloader.line.expect("exited") == {"type": "exited", "pid": str(worker.pid), "status": str(1 << 8)}
    assert preloader.fork(slot=0).get().text == "ok"


def test_the_children_of_the_app_itself_are_left_to_it(starter: Starter) -> None:
    preloader = starter.start("""
        import subprocess
        child = subprocess.Popen(["true"])
        def after_fork():
            pass
        application = print
        """)
    preloader.load()
    worker = preloader.fork()
    worker.kill()
    assert preloader.line.expect("exited")["pid"] == str(worker.pid)


def test_forked_workers_draw_different_random_numbers(starter: Starter) -> None:
    starter.write(
        "state = 0\ndef seed():\n    global state\n    import os\n    state = os.urandom(8)\n", "numpy/random.py"
    )
    starter.write("", "numpy/__init__.py")
    preloader = starter.start("import random, uuid, numpy.random\nrandom.seed(1)\nbefore = random.random()\n" + APP)
    preloader.load()
    drawn = []
    for _ in range(2):
        worker = preloader.fork()
        drawn.append(worker.get("/?repr((random.random(), uuid.uuid4(), numpy.random.state)).encode()").text)
        worker.retire()
        worker.wait_for_end()
    numbers = [text.split(", ") for text in drawn]
    assert all(first != second for first, second in zip(*numbers))


def test_garbage_is_collected_in_workers_and_not_while_loading(starter: Starter) -> None:
    preloader = starter.start("import gc\nwhile_loading = gc.isenabled()\n" + APP)
    preloader.load()
    seen = preloader.fork().get(
        "/?repr((while_loading, gc.isenabled(), not hasattr(gc, 'freeze') or gc.get_freeze_count() > 100)).encode()"
    )
    assert seen.text == "(False, True, True)"


def test_a_worker_holds_only_what_it_needs(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    preloader.fork()
    worker = preloader.fork()
    preloader.kill()
    streams = ["/dev/null", "pipe", "pipe"]
    line, listener, board, lifeline, epoll, signals = (
        "socket",
        "socket",
        "/memfd",
        "pipe",
        "anon_inode",
        ["pipe", "pipe"],
    )
    expected = sorted([*streams, line, listener, board, lifeline, epoll, *signals])
    _wait_until(lambda: _kinds(worker.pid), expected)


def _kinds(pid: int) -> list[str]:
    return sorted(link.split(":")[0] for link in _links(pid) if link != "/dev/urandom")  # Python's own


def _links(pid: int) -> list[str]:
    """What its descriptors lead to, without those that it closes this moment."""
    links = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sorted(links)


def _wait_until(look: Callable[[], object], expected: object) -> None:
    deadline = time.monotonic() + TIMEOUT
    while look() != expected:
        assert time.monotonic() < deadline, (look(), expected)
        time.sleep(0.001)


# Runs inside fork(), before any Python does in the child: as libraries in C do it.
HANGING = """
import ctypes
libc = ctypes.CDLL(None)
libc["__register_atfork"](None, None, ctypes.cast(libc.pause, ctypes.c_void_p), None)
application = print
"""


def test_a_worker_that_hangs_inside_the_fork_is_named_and_can_be_ended(starter: Starter) -> None:
    preloader = starter.start(HANGING)
    preloader.load()
    for slot in (0, 1):
        worker = preloader.send_fork(slot)
        forked = preloader.line.expect("forked")
        assert forked["slot"] == str(slot)
        os.kill(int(forked["pid"]), signal.SIGKILL)
        assert preloader.line.expect("exited") == {"type": "exited", "pid": forked["pid"], "status": "9"}
        assert worker.line.receive() == []


def test_a_signal_for_a_direct_process_that_is_loaded_and_not_up_yet_ends_it(starter: Starter) -> None:
    process = starter.start("""
        import gc, os, signal

        gc.freeze = lambda: os.kill(os.getpid(), signal.SIGTERM)  # called between the two

        def application(environ, start_response):
            start_response("200 OK", [])
            return [b"served"]
    """)
    process.send_load(slot="0")
    process.expect_loaded()
    assert process.child.wait(TIMEOUT) == 0


@pytest.mark.parametrize("signals", [set(), {signal.SIGTERM}], ids=["none", "SIGTERM"])
def test_no_signal_is_lost_between_the_last_look_and_the_worker_s_own_queue(signals: set[int]) -> None:
    """In this process, with a queue that notes what is done with it."""
    done: list[str] = []
    loader: Any = object.__new__(Preloader)
    loader._signals = SimpleNamespace(
        block=lambda: done.append("block"),
        read=lambda: (done.append("read"), signals)[1],
        close=lambda: done.append("close"),
    )
    loader._line, loader._freeze, loader._work = None, lambda: None, lambda *_, forked: done.append("work")
    loader._serve(None)
    assert done == ["block", "read"] + ([] if signals else ["close", "work"])


def test_after_fork_that_fails_ends_the_worker_and_is_told(starter: Starter) -> None:
    preloader = starter.start("""
        def after_fork():
            raise ConnectionError("no database")
        application = print
        """)
    preloader.load()
    worker = preloader.begin_fork()
    told = worker.line.expect("failed")
    assert (told["step"], told["summary"]) == ("run after_fork()", "ConnectionError: no database")
    assert "in after_fork" in told["traceback"]
    assert ROOT not in told["traceback"]
    worker.wait_for_end()
    assert preloader.line.expect("exited")["status"] == str(1 << 8)
    assert "ConnectionError: no database" in worker.output.text()


def test_a_signal_in_the_middle_of_requests_loses_none(starter: Starter) -> None:
    worker = starter.worker(
        APP.replace("import os", "import signal, os") + "\nsignal.signal(signal.SIGUSR1, lambda *a: None)\n"
    )
    answers = []
    for _ in range(50):
        worker.signal(signal.SIGUSR1)
        answers.append(worker.get().text)
    assert answers == ["ok"] * 50


def test_an_app_that_takes_the_wake_up_descriptor_can_still_be_terminated(starter: Starter) -> None:
    worker = starter.worker(
        "import asyncio, signal\n"
        + APP
        + """
async def nothing():
    loop = asyncio.get_event_loop()
    loop.add_signal_handler(signal.SIGUSR2, print)
    loop.remove_signal_handler(signal.SIGUSR2)
    return b"async"
def run():
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(nothing())
    finally:
        loop.close()
"""
    )
    assert worker.get("/?run()").text == "async"
    worker.signal(signal.SIGTERM)
    worker.wait_for_end()


def test_exit_hooks_that_fail_are_logged_and_the_others_run(starter: Starter) -> None:
    worker = starter.worker("""
        import atexit, sys
        atexit.register(lambda: print("atexit ran"))
        def before_exit():
            sys.exit("a hook that exits")
        application = print
        """)
    worker.retire()
    worker.wait_for_end()
    log = worker.output.wait_for_end()
    assert "SystemExit: a hook that exits" in log
    assert log.endswith("atexit ran\n")


def test_what_the_app_has_not_flushed_is_written_when_the_worker_ends(starter: Starter) -> None:
    worker = starter.worker("import sys\n" + APP)
    worker.get("/?(sys.stdout.write('half a line'), b'')[1]")
    worker.retire()
    worker.wait_for_end()
    assert "half a line" in worker.output.wait_for_end()


def test_the_preloader_refuses_what_it_cannot_be_told(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    preloader.line.send("nonsense")
    assert preloader.child.wait(30) == 1
    assert "whose app is loaded got the message 'nonsense'" in preloader.output.wait_for_end()


def test_a_fork_that_the_system_refuses_is_told_and_the_preloader_goes_on(starter: Starter) -> None:
    preloader = starter.start("""
        import os, resource, signal
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)  # no limit of processes holds for root
        old = resource.getrlimit(resource.RLIMIT_NPROC)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, old[1]))
        signal.signal(signal.SIGUSR1, lambda *_: (resource.setrlimit(resource.RLIMIT_NPROC, old), print("allowed")))
        def application(environ, start_response):
            start_response("200 OK", [])
            return [b"served"]
        """)
    preloader.load()
    with pytest.raises(AssertionError, match=r"expected 'hello', got \[\]"):
        preloader.begin_fork(slot=5)
    told = preloader.line.expect("fork_failed")
    assert told == {"type": "fork_failed", "slot": "5", "summary": "fork: Resource temporarily unavailable"}
    preloader.signal(signal.SIGUSR1)
    preloader.output.wait_for("allowed")
    assert preloader.fork(slot=5).get().text == "served"


def test_an_app_that_replaces_the_systems_calls_is_served_all_the_same(starter: Starter) -> None:
    """As gevent's monkey patching does, but these would fail instead of switching."""
    preloader = starter.start("""
        import os, select, signal, socket
        def refuse(*arguments, **options):
            raise RuntimeError("a replaced call")
        class Refusing(socket.socket):
            __init__ = refuse
        socket.socket = Refusing
        select.poll = select.epoll = os.fork = os.waitpid = signal.signal = signal.set_wakeup_fd = refuse
        os._exit = refuse
        def application(environ, start_response):
            start_response("200 OK", [])
            return [environ["wsgi.input"].read()]
        """)
    preloader.load()
    worker = preloader.fork()
    with worker.group.client().open("POST", length=5) as exchange:
        exchange.send(b"hello")
        assert exchange.answer().text == "hello"
    worker.retire()
    worker.wait_for_end()
    assert preloader.line.expect("exited")["status"] == "0"
    preloader.retire()
    assert preloader.child.wait(30) == 0
