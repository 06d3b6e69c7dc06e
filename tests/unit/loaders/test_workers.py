"""Forked workers and direct ones: what they start with, what they hold, how they end, what outlives what."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import pytest

from spawner.loaders import wire
from tests.unit.loaders.conftest import Starter
from tests.unit.loaders.support.client import Answer
from tests.unit.loaders.support.loader_process import Process

APP = """
import os, sys, time

def after_fork():
    print("after_fork in", os.getpid())

def before_exit():
    print("before_exit in", os.getpid())

def application(environ, start_response):
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    if environ["PATH_INFO"] == "/wait":
        print("waiting")
        while not os.path.exists("gate"):
            time.sleep(0.01)
    return [eval(environ["QUERY_STRING"] or "b'ok'")]
"""


def test_workers_are_copies_of_what_was_loaded_once(starter: Starter) -> None:
    preloader = starter.start("import os\nloaded_in = os.getpid()\nprint('loading')\n" + APP)
    preloader.load()
    first, second = preloader.fork(), preloader.fork()
    assert len({preloader.pid, first.pid, second.pid}) == 3
    for worker in (first, second):
        worker.output.wait_for(f"after_fork in {worker.pid}\n")
    first.retire()
    first.wait_for_end()
    answer = second.get("/?str(loaded_in).encode()")
    assert (answer.text, answer.header("X-Pid")) == (str(preloader.pid), str(second.pid))
    assert preloader.output.text() == "loading\n"


def test_a_workers_output_is_its_own(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    worker = preloader.fork()
    worker.get("/?(print('to stdout'), os.write(2, b'to descriptor 2\\n'), b'')[2]")
    assert "to stdout\n" in worker.output.wait_for("to descriptor 2\n")
    assert preloader.output.text() == ""


def test_the_worker_says_in_the_scoreboard_what_it_does(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    before = time.monotonic_ns()
    worker = preloader.fork(slot=3)
    state, pid, requests, _, idle_since = worker.group.slot(3)
    assert (state, pid, requests) == (1, worker.pid, 0)
    assert before < idle_since < time.monotonic_ns()
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        state, pid, requests, busy_since, _ = worker.group.slot(3)
        assert (state, pid, requests) == (2, worker.pid, 0)
        assert idle_since < busy_since < time.monotonic_ns()
        starter.write("", "gate")
        assert exchange.answer().complete
    worker.retire()
    worker.wait_for_end()
    state, pid, requests, _, idle_again = worker.group.slot(3)
    assert (state, pid, requests) == (0, worker.pid, 1)
    assert idle_again > busy_since
    assert worker.group.slot(2) == (0, 0, 0, 0, 0)


def test_a_slot_that_the_board_does_not_have_ends_the_worker_only(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    worker = preloader.begin_fork(slot=8)
    worker.wait_for_end()
    assert "the scoreboard has no slot 8" in worker.output.wait_for_end()
    assert preloader.line.expect("exited") == {"type": "exited", "pid": str(worker.pid), "status": str(1 << 8)}
    assert preloader.fork(slot=0).get().text == "ok"


@pytest.mark.parametrize(("how", "status"), [("os._exit(5)", 5 << 8), ("os.kill(os.getpid(), 9)", 9)])
def test_the_end_of_a_worker_is_reported_with_its_status(starter: Starter, how: str, status: int) -> None:
    preloader = starter.start(APP)
    preloader.load()
    worker = preloader.fork()
    assert worker.get("/?" + how) == Answer()
    assert preloader.line.expect("exited") == {"type": "exited", "pid": str(worker.pid), "status": str(status)}


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
    held = [link.split(":")[0] for link in _links(worker.pid) if link != "/dev/urandom"]  # Python's own
    streams = ["/dev/null", "pipe", "pipe"]
    line, listener, board, lifeline, epoll, signals = (
        "socket",
        "socket",
        "/memfd",
        "pipe",
        "anon_inode",
        ["pipe", "pipe"],
    )
    assert sorted(held) == sorted([*streams, line, listener, board, lifeline, epoll, *signals])


def _links(pid: int) -> list[str]:
    return [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]


def test_a_request_leaves_no_descriptor_behind(starter: Starter) -> None:
    worker = starter.worker(APP)
    worker.get()
    before = sorted(_links(worker.pid))
    for _ in range(5):
        worker.get(framed=False)
        worker.get(method="POST", body=b"x" * 200_000)
    deadline = time.monotonic() + 30
    while sorted(_links(worker.pid)) != before:
        assert time.monotonic() < deadline


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
    assert "loaders" not in told["traceback"]
    worker.wait_for_end()
    assert preloader.line.expect("exited")["status"] == str(1 << 8)
    assert "ConnectionError: no database" in worker.output.text()


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
    preloader = starter.start("import atexit\natexit.register(lambda: print('atexit in', os.getpid()))\n" + APP)
    preloader.load()
    worker = preloader.fork()
    end(worker)  # type: ignore[operator]
    worker.wait_for_end()
    pid = worker.pid
    assert worker.output.wait_for_end() == f"after_fork in {pid}\nbefore_exit in {pid}\natexit in {pid}\n"
    if end is not end_by_lifeline:
        assert preloader.line.expect("exited")["status"] == "0"


@pytest.mark.parametrize("end", ENDS)
def test_a_busy_worker_finishes_its_request_before_it_retires(starter: Starter, end: object) -> None:
    worker = starter.worker(APP)
    with worker.group.client().open(path="/wait") as exchange:
        worker.output.wait_for("waiting")
        end(worker)  # type: ignore[operator]
        starter.write("", "gate")
        assert exchange.answer().text == "ok"
    worker.wait_for_end()
    assert "before_exit" in worker.output.wait_for_end()


def test_a_retired_worker_takes_no_further_connection(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    worker = preloader.fork()
    with worker.group.client().open(path="/wait") as first, worker.group.client().open() as second:
        worker.output.wait_for("waiting")
        worker.retire()
        starter.write("", "gate")
        assert first.answer().complete
        worker.wait_for_end()
        other = preloader.fork()
        assert second.answer().header("X-Pid") == str(other.pid)


def test_a_connection_that_was_accepted_but_has_sent_nothing_is_served_before_the_worker_goes(starter: Starter) -> None:
    worker = starter.worker(APP)
    with worker.group.client().connect() as silent:
        deadline = time.monotonic() + 30
        while worker.group.slot(0)[0] != 2:
            assert time.monotonic() < deadline
        worker.retire()
        silent.socket.settimeout(0.1)
        with pytest.raises(socket.timeout):
            silent.socket.recv(1)
        silent.socket.settimeout(30)
        with worker.group.client().open() as unserved:
            head = {"CONTENT_LENGTH": "0", "SCGI": "1", "JUMPSEAT_FRAMED": "1", "JUMPSEAT_TOKEN": worker.group.token}
            silent.send(wire.encode_text(head.items()))
            assert silent.answer().text == "ok"
            worker.wait_for_end()
            assert unserved.socket.fileno() >= 0


def test_no_request_is_lost_while_workers_come_and_go(starter: Starter) -> None:
    """Each of many clients gets its answer, although workers are swapped under them all the time."""
    preloader = starter.start(APP)
    preloader.load()
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


def test_a_connection_that_wakes_a_worker_told_to_retire_at_the_same_time_is_served(starter: Starter) -> None:
    """The exclusive watch has told no other worker of it."""
    preloader = starter.start(APP)
    preloader.load()
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


def test_killing_the_preloader_leaves_its_workers_serving(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    worker = preloader.fork()
    preloader.kill()
    assert worker.get().header("X-Pid") == str(worker.pid)
    worker.retire()
    worker.wait_for_end()
    assert "before_exit" in worker.output.wait_for_end()


@pytest.mark.parametrize("end", ENDS)
def test_a_preloader_that_ends_leaves_its_workers_serving_unless_all_is_over(starter: Starter, end: object) -> None:
    preloader = starter.start(APP)
    preloader.load()
    worker = preloader.fork()
    end(preloader)  # type: ignore[operator]
    status = preloader.child.wait(30)
    assert status == (-signal.SIGINT if end is end_by_interrupt else 0)
    assert "before_exit" not in preloader.output.wait_for_end()
    if end is end_by_lifeline:
        worker.wait_for_end()
    else:
        assert worker.get().text == "ok"


def test_a_direct_process_becomes_a_worker_itself(starter: Starter) -> None:
    process = starter.start(APP)
    process.load()
    process.serve(slot=2)
    answer = process.get()
    assert (answer.text, answer.header("X-Pid")) == ("ok", str(process.pid))
    assert process.group.slot(2)[1] == process.pid
    process.retire()
    assert process.child.wait(30) == 0
    pid = process.pid
    assert process.output.wait_for_end() == f"after_fork in {pid}\nbefore_exit in {pid}\n"


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
    worker = starter.worker(APP)
    worker.get("/?(sys.stdout.write('half a line'), b'')[1]")
    worker.retire()
    worker.wait_for_end()
    assert "half a line" in worker.output.wait_for_end()


def test_the_preloader_refuses_what_it_cannot_be_told(starter: Starter) -> None:
    preloader = starter.start(APP)
    preloader.load()
    preloader.line.send("load")
    assert preloader.child.wait(30) == 1
    assert "was told to 'load'" in preloader.output.wait_for_end()


def test_a_fork_that_the_system_refuses_is_told_and_the_preloader_goes_on(starter: Starter) -> None:
    preloader = starter.start("""
        import os, resource
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)  # no limit of processes holds for root
        limit = resource.getrlimit(resource.RLIMIT_NPROC)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, limit[1]))
        def application(environ, start_response):
            start_response("200 OK", [])
            return [b"served"]
        """)
    preloader.load()
    with pytest.raises(AssertionError, match=r"expected 'hello', got \[\]"):
        preloader.begin_fork(slot=5)
    told = preloader.line.expect("fork_failed")
    assert told == {"type": "fork_failed", "slot": "5", "summary": "fork: Resource temporarily unavailable"}
    preloader.serve(slot=5)
    assert preloader.get().text == "served"


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
