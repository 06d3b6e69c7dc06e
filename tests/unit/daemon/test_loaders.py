"""What the spawner and a loader tell each other, with real loaders: what it can do, and what it is to load."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Iterator

import pytest

from spawner.app_types import APP_TYPES
from spawner.system import packets
from tests.conformance.loaders import PLAIN
from tests.unit.support.spawner_process import Httpd, eventually, request, running, write_app

# Executes another interpreter while it is loaded, once.
EXECUTES = """
import os, sys
if sys.executable != %(other)r:
    os.execl(%(other)r, %(other)r, *sys.argv)
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [sys.executable.encode()]
"""


@pytest.fixture
def httpd(tmp_path: Path) -> Iterator[Httpd]:
    with running(tmp_path, log_level=5) as httpd:
        yield httpd


def text(answer: bytes) -> str:
    return answer.partition(b"\r\n\r\n")[2].decode()


def own_sockets(httpd: Httpd, registered: dict[str, str]) -> list[Path]:
    """Those that can be connected to: a socket gets its name, which ends with .sock, when it listens."""
    return [path for path in (httpd.instance / "apps").glob("*.sock") if str(path) != registered["socket"]]


def start_with_plain_loader(httpd: Httpd, capabilities: str) -> dict[str, str]:
    """Have a new spawner know the loader with the fewest capabilities; register an app of it."""
    program = shutil.copy(PLAIN, httpd.folder)
    httpd.loaders.append(f"plain:{program}:{capabilities}")
    httpd.kill_spawner()
    httpd.start()
    httpd.configure()
    return httpd.register(write_app(httpd.folder / "app"), app_type="plain", spawn_method="direct")


def test_httpd_is_told_what_the_loader_can_do(httpd: Httpd) -> None:
    registered = httpd.register(write_app(httpd.folder / "app"))
    assert frozenset(registered["capabilities"].split()) == APP_TYPES["wsgi"].capabilities


def test_httpd_is_not_told_what_the_operator_has_switched_off(httpd: Httpd) -> None:
    config = httpd.folder / "spawner.conf"
    config.write_text("[apps]\ndisabled_capabilities = frames, body-file\n")
    httpd.kill_spawner()
    httpd.start(str(config))
    httpd.configure()
    registered = httpd.register(write_app(httpd.folder / "app"))
    assert registered["capabilities"] == "acknowledge expect framed-body keep-alive tail token"
    assert text(request(registered)).startswith("hello ")


def test_an_app_is_served_by_a_loader_that_can_do_the_least(httpd: Httpd) -> None:
    registered = start_with_plain_loader(httpd, "cancel")
    assert registered["capabilities"] == "cancel"
    assert text(request(registered)).startswith("hello ")


def test_a_worker_that_lacks_what_httpd_was_promised_is_not_used(httpd: Httpd) -> None:
    registered = start_with_plain_loader(httpd, "cancel frames body-file")
    with suppress(ConnectionError):  # it may have accepted the request before it is ended
        request(registered)
    lacks = "accept requests: the loader lacks what httpd expects of it: body-file, frames"
    eventually(lambda: lacks in httpd.log(), "the failure in the log")
    assert not [process for process in httpd.processes() if process["state"] == "serving"]


def test_an_app_of_a_type_without_a_loader_is_refused_with_the_types_that_there_are(httpd: Httpd) -> None:
    refused = httpd.register(write_app(httpd.folder / "app"), app_type="meteor")
    reason = "PassengerAppType meteor is not supported; supported: node, program, rack, wsgi"
    assert refused == {"type": "refused", "reason": reason}


@pytest.mark.parametrize("method", ["smart", "direct"])
@pytest.mark.parametrize("sticky", ["0", "1"])
def test_an_app_may_execute_another_interpreter_while_it_is_loaded(httpd: Httpd, method: str, sticky: str) -> None:
    other = str(httpd.folder / "python")
    os.symlink(sys.executable, other)
    app = write_app(httpd.folder / "app", source=EXECUTES % {"other": other})
    registered = httpd.register(app, spawn_method=method, sticky_sessions=sticky)
    assert text(request(registered)) == other
    eventually(lambda: [one["state"] for one in httpd.processes()][-1:] == ["serving"], "the worker serves")
    own = own_sockets(httpd, registered)
    assert len(own) == int(sticky)
    for path in own:
        assert text(request({**registered, "socket": str(path)})) == other


# Is loaded as soon as a file is there.
WAITS = """
import os, time
while not os.path.exists("gate"):
    time.sleep(0.01)
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"loaded"]
"""


def test_a_direct_process_that_a_killed_spawner_had_told_to_load_keeps_its_own_socket(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app", source=WAITS)
    values = {"spawn_method": "direct", "sticky_sessions": "1"}
    registered = httpd.register(app, **values)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(registered["socket"])
        eventually(lambda: own_sockets(httpd, registered), "the process's own socket")
        (own,) = own_sockets(httpd, registered)
        httpd.kill_spawner()
        httpd.start()
        httpd.configure()
        (app / "gate").touch()
        eventually(lambda: [one["state"] for one in httpd.processes()] == ["serving"], "the process serves")
    assert text(request({**registered, "socket": str(own)})) == "loaded"
    assert own_sockets(httpd, registered) == [own]


# Says hello again while it is loaded, as a spawner reads it whose predecessor was killed when it had sent `load`.
SAYS_HELLO_AGAIN = """
import os, select, socket, sys
line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, os.dup(int(sys.argv[1])))
line.send(%(hello)r)
assert select.select([line], [], [], 20)[0]
line.close()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"loaded"]
"""


def test_a_process_that_is_told_twice_what_to_load_serves_the_socket_that_it_has_got(httpd: Httpd) -> None:
    source = SAYS_HELLO_AGAIN % {"hello": packets.encode([("type", "hello")])}
    app = write_app(httpd.folder / "app", source=source)
    registered = httpd.register(app, spawn_method="direct", sticky_sessions="1")
    assert text(request(registered)) == "loaded"
    eventually(lambda: len(own_sockets(httpd, registered)) == 1, "the socket that it has not got is removed")
    (own,) = own_sockets(httpd, registered)
    assert text(request({**registered, "socket": str(own)})) == "loaded"
    (process,) = httpd.processes()
    os.kill(process["pid"], signal.SIGTERM)
    eventually(lambda: own not in own_sockets(httpd, registered), "the socket goes with its process")


ODD = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Number", 5)])
    return ["text"]
"""


def test_what_an_app_does_against_the_rules_is_logged_once_for_a_release(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app", source=ODD)
    (app / "tmp").mkdir()
    registered = httpd.register(app, min_instances="2")
    number = "app warning of app: the value of the header X-Number is of type int, not str as PEP 3333 asks"
    block = "app warning of app: a block of the body is of type str, not bytes as PEP 3333 asks"
    for release in (1, 2):
        for _ in range(6):
            assert text(request(registered)) == "text"
        eventually(lambda wanted=release: httpd.log().count(block) == wanted, "the warning in the log")
        assert httpd.log().count(number) == release
        (app / "tmp" / "restart.txt").write_text("x" * release)
        eventually(lambda wanted=release: httpd.log().count("JS3510") == wanted, "the end of the restart")
