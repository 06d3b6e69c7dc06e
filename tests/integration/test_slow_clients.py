"""Clients that read slowly, or not at all, hold no worker; what waits for them is bounded, whole and in order."""

from __future__ import annotations

import hashlib
from typing import Callable, Iterator

import pytest

from support.applications import AppFolder, AppFolders
from support.certificates import tls_lines
from support.serving import CheckedHttpd
from support.slow_clients import SlowClient, SlowHttp, SlowHttp2, SlowTls
from support.waiting import eventually

MEGABYTE = 1 << 20
SIZE = 8 * MEGABYTE
CLIENTS = 6

ENTRY = """\
    import hashlib, os

    def content(size):
        block = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(2048))
        return (block * (size // len(block) + 1))[:size]

    def note(name):
        with open("events/" + name, "a") as stream:
            stream.write("x\\n")

    def big(start_response, size, piece):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        whole = content(size)
        try:
            for start in range(0, size, piece):
                yield whole[start:start + piece]
        finally:
            note("given-" + str(size))

    def hello(start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"hello"]

    def application(environ, start_response):
        words = environ["PATH_INFO"].strip("/").split("/")
        if words[0] == "big":
            return big(start_response, int(words[1]), int(words[2]))
        return hello(start_response)
    """


def expected(size: int) -> bytes:
    block = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(2048))
    return (block * (size // len(block) + 1))[:size]


@pytest.fixture
def app(apps: AppFolders) -> AppFolder:
    return apps.create(name="slow", entry=ENTRY)


@pytest.fixture
def tls_port(httpd: CheckedHttpd) -> int:
    return httpd.another_port()


@pytest.fixture
def server(httpd: CheckedHttpd, app: AppFolder, tls_port: int) -> CheckedHttpd:
    """One worker; sockets that take little."""
    httpd.module("ssl", "socache_shmcb", "http2")
    httpd.logs.allow("AH01882")  # Debian builds mod_ssl with a later OpenSSL than it may run with
    httpd.add(f"Listen 127.0.0.1:{tls_port}\nProtocols h2c http/1.1\nH2Direct on\nSendBufferSize 65536")
    httpd.add(f"SSLSessionCache shmcb:{httpd.folder}/sessions(65536)")
    lines = "PassengerMaxInstances 1\n"
    httpd.site(document_root=app.public, body=lines)
    httpd.site("tls.example", app.public, lines + tls_lines(), port=tls_port)
    return httpd


Ask = Callable[[str], SlowClient]


@pytest.fixture(params=["http", "https", "http2"])
def ask(request: pytest.FixtureRequest, server: CheckedHttpd, tls_port: int) -> Iterator[Ask]:
    made: list[SlowClient] = []

    def make(target: str) -> SlowClient:
        if request.param == "https":
            made.append(SlowTls(tls_port, target))
        else:
            made.append((SlowHttp if request.param == "http" else SlowHttp2)(server.port, target))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_the_only_worker_serves_others_while_clients_do_not_read(
    server: CheckedHttpd, app: AppFolder, ask: Ask
) -> None:
    server.start()
    clients = [ask(f"/big/{SIZE}/65536") for _ in range(CLIENTS)]
    eventually(lambda: len(app.wait_for_event(f"given-{SIZE}").splitlines()) == CLIENTS, "all answers to be given")
    assert server.get("/").body == b"hello"
    for client in clients:
        assert client.read_body() == expected(SIZE)
