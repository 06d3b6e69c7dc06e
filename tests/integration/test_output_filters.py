"""What output filters of other modules make of an app's response."""

from __future__ import annotations

import time

import pytest

from support.applications import AppFolder, AppFolders
from support.curl import curl
from support.http2 import DATA, END_STREAM, Http2Connection
from support.memory import PeakMemory
from support.serving import CheckedHttpd

MEGABYTE = 1 << 20

#: A page with a server-side include.
ENTRY = """\
    import time

    def page(environ):
        yield b'begin<!--#include virtual="/large.bin" -->'
        yield b"more"
        if environ["QUERY_STRING"]:
            time.sleep(float(environ["QUERY_STRING"]))
        yield b"end"

    def application(environ, start_response):
        name = environ["PATH_INFO"].strip("/") or "page"
        start_response("200 OK", [("Content-Type", "text/html")])
        return globals()[name](environ)
    """

BODY = """\
    Options +Includes
    <Location "/page">
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
    server.get("/page")
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
