"""Programs of a start command, from the `load` to their end, as the spawner and httpd see them."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

import pytest

from spawner.loaders import program
from spawner.loaders.program.socket_diagnostics import waiting_at
from spawner.shared import start_steps
from tests.conformance.harness.loader_process import Group, Preloader

START = str(Path(str(program.__file__)).with_name("start.py"))
#: Answers each request with its pid and its environment; its arguments say where it listens, and what it does before.
SERVER = """
import os, select, socket, sys, time

way, *rest = sys.argv[1:]
if way == "port":
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, "careless" not in rest)
    listener.bind(("127.0.0.1", int(os.environ["PORT"])))
    listener.listen()
elif way == "socket":
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(rest[0])
    listener.listen()
else:
    listener = socket.socket(fileno=3)
    listener.setblocking(False)
held = sorted(map(int, os.listdir("/proc/self/fd")))
if way == "notify":
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
        notify.send(b"STATUS=up\\nREADY=1")
waiting = select.epoll() if way == "epoll" else select.poll()
waiting.register(listener, select.POLLIN)
while True:
    if way == "notify":
        time.sleep(0.005)
    else:
        waiting.poll()
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        continue
    connection.setblocking(True)
    request = connection.recv(65536)
    if not request:
        connection.close()
        continue  # somebody wants to know whether we accept
    if b"/wait" in request:
        print("waiting", flush=True)
        while not os.path.exists("gate"):
            time.sleep(0.005)
    names = ("PORT", "PASSENGER_SOCKET", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET")
    body = "%d %s %s" % (os.getpid(), sorted(name for name in names if name in os.environ), held)
    connection.sendall(("HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)).encode())
    connection.close()
"""


class Programs:
    """Starts programs in one app root; they end with the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.group = Group("", framed=False, http=True)
        self._stack = stack
        (folder / "server.py").write_text(SERVER)
        stack.callback(self.group.close)

    def load(self, command: str, **fields: str) -> Preloader:
        """Start a process and tell it what to run."""
        process = Preloader([sys.executable, START], self.folder, self.group, {}, {"slot": "0", "threads": "0"})
        self._stack.callback(process.close)
        process.send_load(start_command=command, **fields)
        return process

    def start(self, command: str, **fields: str) -> Preloader:
        """Start a program; it is ready."""
        process = self.load(command, **fields)
        process.expect_loaded()
        assert process.line.expect("ready")["capabilities"] == "http"
        return process


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with ExitStack() as stack:
        yield Programs(tmp_path, stack)


@pytest.mark.parametrize(
    ("command", "variables", "inherited"),
    [
        ("{python} server.py port $PORT", ["PORT"], False),
        ("{python} server.py socket $PASSENGER_SOCKET", ["PASSENGER_SOCKET", "PORT"], False),
        ("{python} server.py epoll", ["LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "PORT"], True),
        ("{python} server.py poll", ["LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "PORT"], True),
        ("cd . && {python} server.py notify", ["LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "PORT"], True),
        ("{python} server.py port", ["LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "PORT"], True),
    ],
    ids=["port", "socket", "epoll", "poll", "notify", "port-by-itself"],
)
def test_a_program_is_ready_when_it_accepts_and_is_the_process_that_said_hello(
    programs: Programs, command: str, variables: list[str], inherited: bool
) -> None:
    process = programs.start(command.format(python=sys.executable))
    pid, shown = process.get().text.split(" ", 1)
    assert int(pid) == process.pid
    names, _, descriptors = shown.partition("] ")
    assert names + "]" == str(variables)
    # Its own listening socket, if it has one, and the folder that is listed.
    assert len(descriptors.split()) <= (6 if inherited else 5)
    assert process.group.slot(0)[:2] == (1, process.pid)
    by_itself = inherited and not command.endswith(" port")
    process.group.wait_for(lambda group: (group.slot(0).idle_since > time.monotonic_ns()) == by_itself)
    process.retire()
    assert process.child.wait(20) == -signal.SIGTERM


@pytest.mark.parametrize("way", ["epoll", "poll", "notify", "port"])
def test_a_program_is_in_no_more_requests_than_it_may_be_also_on_descriptor_3(programs: Programs, way: str) -> None:
    process = programs.start(f"{sys.executable} server.py {way}", threads="1")
    client = process.group.client()
    with client.open(path="/wait") as first, client.open() as second:
        process.output.wait_for("waiting")
        process.group.wait_for(lambda group: group.slot(0).running == 1)
        assert process.group.slot(0).capacity == 1
        assert waiting_at(os.fstat(process.group.listener.fileno()).st_ino) == 1
        (programs.folder / "gate").touch()
        assert first.answer().status == "200 OK"
        first.close()
        assert second.answer().status == "200 OK"
    process.group.wait_for(lambda group: group.slot(0)[2:5:2] == (0, 2))
    assert process.group.slot(0).idle_since < time.monotonic_ns()
    process.retire()
    assert process.child.wait(20) == -signal.SIGTERM


def test_a_program_that_ends_before_it_accepts_ends_the_process_with_its_status(programs: Programs) -> None:
    process = programs.load("exit 7")
    assert process.child.wait(20) == 7
    assert process.line.receive() == []


def test_a_program_ignores_no_signal_that_it_has_not_asked_to_ignore(programs: Programs) -> None:
    # The C library keeps signals 32 and 33 for itself; make starts its commands with both ignored.
    ignored = "0x$(sed -n 's/^SigIgn:.//p' /proc/self/status) & ~0x180000000"
    process = programs.load(f"test $(({ignored})) = 0 && exit 9; exit 8")
    assert process.child.wait(20) == 9


def test_a_shell_that_stays_is_ended_together_with_its_program(programs: Programs) -> None:
    process = programs.start(f"true; {sys.executable} server.py epoll; true")
    assert int(process.get().text.split()[0]) != process.pid
    process.retire()
    assert process.child.wait(20) == -signal.SIGTERM
    process.output.wait_for_end()  # nobody is left who could write


def test_a_program_that_needs_its_port_alone_gets_it_at_the_next_start(programs: Programs) -> None:
    command = f"{sys.executable} server.py port careless $PORT"
    failed = programs.load(command, failed_starts="0")
    assert failed.child.wait(20) == 1
    assert "Address already in use" in failed.output.wait_for_end()
    assert programs.start(command, failed_starts="1").get().status == "200 OK"


def test_an_app_without_a_command_is_told_where_to_say_it(programs: Programs) -> None:
    (programs.folder / "Passengerfile.json").write_text("{}")
    process = Preloader([sys.executable, START], programs.folder, programs.group, {}, {"slot": "0"})
    failure = process.load_failure("Passengerfile.json")
    process.close()
    assert failure["step"] == start_steps.READ
    assert "app_start_command" in failure["summary"]


def test_a_relayed_program_finishes_its_requests_before_it_is_asked_to_end(programs: Programs) -> None:
    process = programs.start(f"{sys.executable} server.py port $PORT")
    with process.group.client().open(path="/wait") as exchange:
        process.output.wait_for("waiting")
        process.retire()
        process.group.wait_for(lambda group: group.slot(0).running == 1)
        (programs.folder / "gate").touch()
        assert exchange.answer().status == "200 OK"
    assert process.child.wait(20) == -signal.SIGTERM
    process.group.wait_for(lambda group: group.slot(0)[:5] == (0, process.pid, 0, 65536, 1))


def test_a_deadline_comes_before_the_end_of_a_request(programs: Programs) -> None:
    process = programs.start(f"{sys.executable} server.py port $PORT")
    with process.group.client().open(path="/wait"):
        process.output.wait_for("waiting")
        process.retire(("deadline", str(time.monotonic_ns() + 10**9)))
        assert process.child.wait(20) == -signal.SIGTERM


def test_the_end_of_the_supervisor_ends_the_line(programs: Programs) -> None:
    process = programs.start(f"{sys.executable} server.py poll")
    (supervisor,) = [pid for pid in session_of(process.pid) if pid != process.pid]
    os.kill(supervisor, signal.SIGKILL)
    assert process.line.receive() == []


def session_of(pid: int) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(name)) == pid:
                found.append(int(name))
        except ProcessLookupError:
            pass
    return found
