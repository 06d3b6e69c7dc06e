"""What output filters of other modules make of an app's response: files put into it, parts that are requests."""

from __future__ import annotations

import time

import pytest

from support.applications import AppFolder, AppFolders
from support.curl import curl
from support.http2 import DATA, END_STREAM, Http2Connection
from support.memory import PeakMemory
from support.serving import CheckedHttpd
from support.slow_clients import SlowHttp

MEGABYTE = 1 << 20
#: Bytes: more than the sockets on the way of an answer take.
SIZE = 8 * MEGABYTE

#: Pages with server-side includes, and an answer that one of them includes.
ENTRY = f"""\
    import time

    def page(environ):
        yield b'begin<!--#include virtual="/large.bin" -->'
        yield b"more"
        if environ["QUERY_STRING"]:
            time.sleep(float(environ["QUERY_STRING"]))
        yield b"end"

    def slow(environ):
        yield b'begin<!--#include virtual="/part" -->end'
        time.sleep(0.3)
        for _ in range({SIZE // MEGABYTE}):
            yield bytes({MEGABYTE})
        open("events/given", "w").close()

    def part(environ):
        for _ in range({SIZE // MEGABYTE}):
            yield bytes({MEGABYTE})

    def application(environ, start_response):
        name = environ["PATH_INFO"].strip("/") or "page"
        start_response("200 OK", [("Content-Type", "text/plain" if name == "part" else "text/html")])
        return globals()[name](environ)
    """

BODY = """\
    Options +Includes
    <Location "/page">
    SetOutputFilter INCLUDES
    </Location>
    <Location "/slow">
    SetOutputFilter INCLUDES
    </Location>
    """


@pytest.fixture
def app(apps: AppFolders) -> AppFolder:
    return apps.create(name="including", entry=ENTRY)


@pytest.fixture
def server(httpd: CheckedHttpd, app: AppFolder) -> CheckedHttpd:
    httpd.module("http2", "include")
    httpd.add("Protocols h2c http/1.1\nH2Direct on\nSendBufferSize 65536")
    httpd.site(document_root=app.public, body=BODY)
    return httpd


def make_large_file(app: AppFolder, size: int) -> None:
    with open(app.public / "large.bin", "wb") as file:
        file.truncate(size)


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_a_large_file_that_a_filter_puts_into_the_response_takes_no_memory(
    server: CheckedHttpd, app: AppFolder, version: str
) -> None:
    size = 100 * MEGABYTE
    make_large_file(app, size)
    server.start()
    server.get("/part")
    memory = PeakMemory(server.children("apache2"))
    answer = curl(f"http://127.0.0.1:{server.port}/page", version, "-H", "Host: site.example")
    assert (answer.status, len(answer.body)) == (200, size + 12)
    assert memory.growth() < 40 * MEGABYTE


def test_a_client_that_takes_such_a_file_slowly_over_http2_gets_it_whole(server: CheckedHttpd, app: AppFolder) -> None:
    size, step = 2 * MEGABYTE, 65536
    make_large_file(app, size)
    server.add("Timeout 1")
    server.start()
    connection = Http2Connection(server.port, step, 4096)
    connection.ask("GET", "/page?2.5", "site.example")
    body = bytearray()
    is_ended = False
    while not is_ended:
        came = connection.read()
        is_ended = bool(came.flags & END_STREAM)
        if came.kind == DATA:
            body += came.content
            time.sleep(len(came.content) / step / 10)
            connection.allow(len(came.content))
    connection.close()
    assert bytes(body) == b"begin" + bytes(size) + b"moreend"


def test_after_a_part_that_is_a_request_of_its_own_a_slow_client_holds_no_worker_either(
    server: CheckedHttpd, app: AppFolder
) -> None:
    server.start()
    client = SlowHttp(server.port, "/slow")
    app.wait_for_event("given")
    assert client.read_body() == b"begin" + bytes(SIZE) + b"end" + bytes(SIZE)
    client.close()
