"""httpd is stopped with requests over HTTP/1.1 under way whose clients are waited for."""

from __future__ import annotations

import signal
from typing import Callable, Iterator

import psutil
import pytest

from support.applications import AppFolder, AppFolders
from support.certificates import tls_lines, trusting
from support.client import Wire
from support.httpd import STOP_NOISE
from support.serving import CheckedHttpd

#: Seconds: httpd by itself waits nine for a child, then kills it.
AT_ONCE = 4.0

ENTRY = """\
    import os

    def upload(environ):
        return [environ["wsgi.input"].read()]

    def parts(environ):
        return [b"x" * 1000000 for _ in range(8)]

    def file(environ):
        with open("events/big", "wb") as stream:
            stream.truncate(1 << 26)
        return environ["wsgi.file_wrapper"](open("events/big", "rb"))

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return globals()[environ["PATH_INFO"].split("/")[-1]](environ)
    """


@pytest.fixture
def app(apps: AppFolders) -> AppFolder:
    return apps.create(name="stops", entry=ENTRY)


@pytest.fixture
def tls_port(httpd: CheckedHttpd) -> int:
    return httpd.another_port()


@pytest.fixture
def server(httpd: CheckedHttpd, app: AppFolder, tls_port: int) -> CheckedHttpd:
    httpd.module("ssl", "socache_shmcb")
    # Debian builds mod_ssl with a later OpenSSL than it may run with; clients are cut here.
    httpd.logs.allow(f"AH01882|AH00045|{STOP_NOISE}|JS")
    httpd.add(f"Listen 127.0.0.1:{tls_port}\nSendBufferSize 65536")
    httpd.add(f"SSLSessionCache shmcb:{httpd.folder}/sessions(65536)")
    body = "PassengerMinInstances 1\n"
    httpd.site(document_root=app.public, body=body)
    httpd.site("tls.example", app.public, body + tls_lines(), port=tls_port)
    httpd.start()
    return httpd


@pytest.fixture(params=["clear", "tls"])
def wire(request: pytest.FixtureRequest, server: CheckedHttpd, tls_port: int) -> Iterator[Wire]:
    with Wire(tls_port if request.param == "tls" else server.port, receive_buffer=4096) as made:
        if request.param == "tls":
            made.socket = trusting().wrap_socket(made.socket, server_hostname="tls.example")
        yield made


def send_half(wire: Wire) -> None:
    """Amid a body that httpd takes whole before the worker gets it; `100` tells that it is at that."""
    wire.head("POST /upload HTTP/1.1", "Content-Length: 1000000", "Expect: 100-continue")
    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
    wire.send(b"half of it")


def take_nothing_of_bytes(wire: Wire) -> None:
    wire.head("GET /parts HTTP/1.1")
    wire.read_until(b"\r\n\r\n")


def take_nothing_of_a_file(wire: Wire) -> None:
    wire.head("GET /file HTTP/1.1")
    wire.read_until(b"\r\n\r\n")


@pytest.mark.parametrize("begin", [send_half, take_nothing_of_bytes, take_nothing_of_a_file])
def test_a_stop_ends_a_request_that_waits_for_its_client_at_once(
    server: CheckedHttpd, wire: Wire, begin: Callable[[Wire], None]
) -> None:
    begin(wire)
    children = server.children("apache2")
    assert server.process is not None
    server.process.send(signal.SIGTERM)
    gone, alive = psutil.wait_procs(children, AT_ONCE)
    assert not alive, server.logs.text()
    assert server.stop() == []
