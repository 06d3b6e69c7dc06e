"""Workers that hang inside their fork, before they have said a word: whatever happens, nothing of them is left."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from spawner.system import linux
from tests.unit.support.spawner_process import DEADLINE, Httpd, eventually, request, running, write_app

HANGS = """
import os, time
def hangs_in_hook():
    with open("hanging.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("hanging.new", "hanging")
    time.sleep(600)
%s
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"served"]
"""
IN_CHILD = HANGS % "os.register_at_fork(after_in_child=hangs_in_hook)"
IN_AFTER_FORK = HANGS % "after_fork = hangs_in_hook"

#: Seconds: in less, an interpreter may not have come so far on a busy machine.
START_TIMEOUT = 6
NOT_UP = "step fork a worker: not up within %d s" % START_TIMEOUT

# Lies about whom it has forked, and says nothing else about it.
LIAR = IN_CHILD + """
import socket, sys
def lie():
    payload = b"type\\000forked\\000slot\\0000\\000pid\\000%d\\000"  # three digits: more may follow
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, int(sys.argv[1]))
    line.send(b"%%d:%%s," %% (len(payload), payload))
    line.detach()
def say_nothing():
    time.sleep(600)
os.register_at_fork(before=lie, after_in_parent=say_nothing)
"""


@pytest.fixture
def httpd(tmp_path: Path) -> Iterator[Httpd]:
    with running(tmp_path, log_level=5) as httpd:
        yield httpd


def ask_in_vain(registered: dict[str, str]) -> socket.socket:
    """Connect to an app that does not come up: its first worker is wanted."""
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(DEADLINE)
    line.connect(registered["socket"])
    return line


def write_hanging(httpd: Httpd, source: str) -> Path:
    """An app whose user may write into its folder."""
    app = write_app(httpd.folder / "app", source=source)
    app.chmod(0o777)
    return app


def hanging_pid(httpd: Httpd) -> int:
    path = httpd.folder / "app" / "hanging"
    return int(eventually(lambda: path.exists() and path.read_text(), "a worker that hangs"))


def is_gone(pid: int) -> bool:
    return not linux.process_exists(pid)


def command(httpd: Httpd, **fields: Any) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(DEADLINE)
        line.connect(str(httpd.instance / "admin.sock"))
        line.sendall(json.dumps(fields).encode() + b"\n")
        with line.makefile("rb") as file:
            answer: dict[str, Any] = json.loads(file.readline())
    return answer


@pytest.mark.parametrize(
    ("source", "step"), [(IN_CHILD, b"fork a worker"), (IN_AFTER_FORK, b"accept requests")], ids=["fork", "after_fork"]
)
def test_the_start_timeout_ends_it_and_says_where_it_hangs(httpd: Httpd, source: str, step: bytes) -> None:
    app = write_hanging(httpd, source)
    answer = request(httpd.register(app, start_timeout=START_TIMEOUT, friendly_error_pages=1))
    assert step in answer
    assert b"PassengerStartTimeout" in answer
    assert b"in hangs_in_hook" in answer
    pid = hanging_pid(httpd)
    eventually(lambda: is_gone(pid), "the end of the hanging worker")
    eventually(lambda: not httpd.processes(), "no process left")


def test_it_can_be_detached(httpd: Httpd) -> None:
    with ask_in_vain(httpd.register(write_hanging(httpd, IN_CHILD))):
        pid = hanging_pid(httpd)
        eventually(lambda: pid in {process["pid"] for process in httpd.processes()}, "its pid in status")
        assert command(httpd, command="detach_process", pid=pid)["ok"]
        eventually(lambda: is_gone(pid), "the end of the hanging worker")
        assert "preloader" in {process["kind"] for process in httpd.processes()}


def test_it_ends_with_httpd(httpd: Httpd) -> None:
    with ask_in_vain(httpd.register(write_hanging(httpd, IN_CHILD))):
        pid = hanging_pid(httpd)
        assert httpd.end() == 0
        eventually(lambda: is_gone(pid), "the end of the hanging worker")


def test_the_next_spawner_ends_it_when_the_one_before_was_killed(httpd: Httpd) -> None:
    registered = httpd.register(write_hanging(httpd, IN_CHILD), start_timeout=START_TIMEOUT)
    with ask_in_vain(registered):
        pid = hanging_pid(httpd)
        eventually(lambda: pid in {process["pid"] for process in httpd.processes()}, "its pid in status")
        httpd.kill_spawner()
        httpd.start()
        httpd.configure(log_level=5)
        eventually(lambda: is_gone(pid), "the end of the hanging worker")
        eventually(lambda: NOT_UP in httpd.log(), "the step in the log")


def test_a_preloader_that_names_what_is_not_its_own_child_is_not_believed(httpd: Httpd) -> None:
    with subprocess.Popen(["sleep", "100"]) as victim:
        app = write_hanging(httpd, LIAR % victim.pid)
        with ask_in_vain(httpd.register(app, start_timeout=START_TIMEOUT)):
            hanging_pid(httpd)
            assert victim.pid not in {process["pid"] for process in httpd.processes()}
            eventually(lambda: NOT_UP in httpd.log(), "the step in the log")
            assert victim.pid not in {process["pid"] for process in httpd.processes()}
        assert victim.poll() is None
        victim.send_signal(signal.SIGKILL)
