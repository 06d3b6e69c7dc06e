"""httpd is stopped, or restarted, with requests over HTTP/2 under way: in every state that such a request can be in."""

from __future__ import annotations

import os
import signal
from typing import Callable, Iterator

import psutil
import pytest

from support.applications import AppFolder, AppFolders
from support.certificates import tls_lines
from support.http2 import LARGE_WINDOW, SMALL_WINDOW, Http2Connection
from support.httpd import STOP_NOISE
from support.serving import CheckedHttpd
from support.waiting import eventually

MEGABYTE = 1 << 20
SIZE = 8 * MEGABYTE
#: Seconds: mod_http2 by itself waits five for threads of streams, httpd nine for a child.
AT_ONCE = 4.0


ENTRY = f"""\
    import os, time

    def note(name):
        open("events/" + name, "w").close()

    def wait(environ):
        note("waiting")
        while not os.path.exists("events/gate-wait"):
            time.sleep(0.01)
        yield b"waited"

    def big(environ):
        for _ in range({SIZE // MEGABYTE}):
            yield bytes(range(256)) * 4096
        note("given")

    def endless(environ):
        yield os.urandom({MEGABYTE})
        while True:
            yield b"more"
            time.sleep(0.01)

    def upload(environ):
        note("reading")
        yield environ["wsgi.input"].read()

    def hello(environ):
        yield b"hello"

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return globals()[environ["PATH_INFO"].split("/")[-1] or "hello"](environ)
    """
CONTENT = bytes(range(256)) * (SIZE // 256)


@pytest.fixture
def app(apps: AppFolders) -> AppFolder:
    return apps.create(name="stops", entry=ENTRY)


@pytest.fixture
def tls_port(httpd: CheckedHttpd) -> int:
    return httpd.another_port()


@pytest.fixture
def server(httpd: CheckedHttpd, app: AppFolder, tls_port: int) -> CheckedHttpd:
    httpd.module("ssl", "socache_shmcb", "http2", "filter", "deflate")
    # Debian builds mod_ssl with a later OpenSSL than it may run with; clients are cut here, and apps killed.
    httpd.logs.allow(f"AH01882|AH00045|{STOP_NOISE}|JS")
    httpd.add(f"Listen 127.0.0.1:{tls_port}\nProtocols h2 h2c http/1.1\nH2Direct on\nSendBufferSize 65536")
    httpd.add(f"SSLSessionCache shmcb:{httpd.folder}/sessions(65536)")
    body = "PassengerMinInstances 1\n<Location /direct>\nPassengerBufferUpload off\n</Location>\n"
    body += "<Location /endless>\nPassengerMaxRequestTime 1\nSetOutputFilter DEFLATE\n</Location>\n"
    httpd.site(document_root=app.public, body=body)
    httpd.site("tls.example", app.public, body + tls_lines(), port=tls_port)
    httpd.start()
    return httpd


@pytest.fixture(params=["clear", "tls"])
def connect(
    request: pytest.FixtureRequest, server: CheckedHttpd, tls_port: int
) -> Iterator[Callable[..., Http2Connection]]:
    made: list[Http2Connection] = []

    def make(window: int = LARGE_WINDOW) -> Http2Connection:
        tls = request.param == "tls"
        made.append(Http2Connection(tls_port if tls else server.port, window, 4096, tls))
        return made[-1]

    yield make
    for connection in made:
        connection.close()


Connect = Callable[..., Http2Connection]


def host_of(connection: Http2Connection, tls_port: int) -> str:
    return "tls.example" if connection.socket.getpeername()[1] == tls_port else "site.example"


def wait_for_the_answer(connect: Connect, app: AppFolder, tls_port: int) -> Http2Connection:
    connection = connect()
    connection.ask("GET", "/wait", host_of(connection, tls_port))
    app.wait_for_event("waiting")
    return connection


def allow_nothing_more(connect: Connect, app: AppFolder, tls_port: int) -> Http2Connection:
    """The connection has no thread at httpd."""
    connection = connect(SMALL_WINDOW)
    connection.ask("GET", "/big", host_of(connection, tls_port))
    app.wait_for_event("given")
    return connection


def take_nothing(connect: Connect, app: AppFolder, tls_port: int) -> Http2Connection:
    """The connection's thread waits for the network."""
    connection = connect()
    connection.ask("GET", "/big", host_of(connection, tls_port))
    app.wait_for_event("given")
    return connection


def send_half(connect: Connect, app: AppFolder, tls_port: int) -> Http2Connection:
    connection = connect()
    connection.ask("POST", "/direct/upload", host_of(connection, tls_port), has_body=True)
    connection.send_body([b"half"], ends=False)
    app.wait_for_event("reading")
    return connection


def send_half_to_httpd(connect: Connect, app: AppFolder, tls_port: int) -> Http2Connection:
    """The worker is to get the body when it is complete; until then only httpd has it."""
    connection = connect()
    connection.ask("POST", "/upload", host_of(connection, tls_port), has_body=True)
    connection.send_body([b"half"], ends=False)
    # Frames are answered in their order.
    connection.ping()
    return connection


UNDER_WAY = [wait_for_the_answer, allow_nothing_more, take_nothing, send_half, send_half_to_httpd]
Begin = Callable[[Connect, AppFolder, int], Http2Connection]


@pytest.mark.parametrize("begin", UNDER_WAY)
def test_a_stop_ends_a_request_over_http2_at_once(
    server: CheckedHttpd, app: AppFolder, connect: Connect, tls_port: int, begin: Begin
) -> None:
    begin(connect, app, tls_port)
    before = server.children("apache2")
    assert server.process is not None
    server.process.send(signal.SIGTERM)
    gone, alive = psutil.wait_procs(before, AT_ONCE)
    assert not alive, server.logs.text()
    assert server.stop() == []


def test_a_stop_ends_an_answer_at_once_that_is_cut_while_a_filter_holds_some_of_it_and_the_client_takes_nothing(
    server: CheckedHttpd, connect: Connect, tls_port: int
) -> None:
    connection = connect(SMALL_WINDOW)
    host = host_of(connection, tls_port)
    connection.ask("GET", "/hello", host)
    assert connection.read_answer() == (200, b"hello")
    # The spawner ends the worker at the same time, and httpd might see that first.
    spawner = server.spawner_pid()
    os.kill(spawner, signal.SIGSTOP)
    try:
        connection.ask("GET", "/endless", host, (("accept-encoding", "gzip"),))
        server.logs.wait_for("JS2131", f"{host}.log")
    finally:
        os.kill(spawner, signal.SIGCONT)
    before = server.children("apache2")
    assert server.process is not None
    server.process.send(signal.SIGTERM)
    gone, alive = psutil.wait_procs(before, AT_ONCE)
    assert not alive, server.logs.text()
    assert server.stop() == []


def test_a_restart_that_is_not_graceful_ends_requests_over_http2_at_once(
    server: CheckedHttpd, app: AppFolder, connect: Connect, tls_port: int
) -> None:
    for begin in (allow_nothing_more, take_nothing):
        begin(connect, app, tls_port)
    before = server.children("apache2")
    server.restart()
    gone, alive = psutil.wait_procs(before, AT_ONCE)
    assert not alive, server.logs.text()
    assert server.get("/").body == b"hello"


@pytest.mark.parametrize("begin", [allow_nothing_more, take_nothing])
def test_a_slow_download_over_http2_goes_on_to_its_last_byte_after_graceful_restarts(
    server: CheckedHttpd, app: AppFolder, connect: Connect, tls_port: int, begin: Begin
) -> None:
    connection = begin(connect, app, tls_port)
    old = server.children("apache2")
    for _ in range(2):
        server.graceful()
    connection.allow(LARGE_WINDOW if begin is allow_nothing_more else 1)
    status, body = connection.read_answer()
    assert (status, body == CONTENT) == (200, True)
    connection.close()
    eventually(lambda: not [child for child in old if child.is_running()], "the end of the old child")


def test_a_request_over_http2_that_waits_is_answered_after_graceful_restarts(
    server: CheckedHttpd, app: AppFolder, connect: Connect, tls_port: int
) -> None:
    connection = wait_for_the_answer(connect, app, tls_port)
    for _ in range(2):
        server.graceful()
    app.open_gate("wait")
    assert connection.read_answer() == (200, b"waited")


def test_an_upload_over_http2_goes_on_after_graceful_restarts(
    server: CheckedHttpd, app: AppFolder, connect: Connect, tls_port: int
) -> None:
    connection = send_half(connect, app, tls_port)
    for _ in range(2):
        server.graceful()
    connection.send_body([b" and half"])
    assert connection.read_answer() == (200, b"half and half")
