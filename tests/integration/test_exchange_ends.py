"""How an exchange ends that cannot go on: seen by the client as what it is, and without waiting for anybody."""

from __future__ import annotations

import contextlib
import http.client
import threading
from typing import Callable, Iterator

import pytest

from support.applications import AppFolder, AppFolders
from support.client import Wire
from support.descriptors import open_descriptors
from support.http2 import Http2Connection, StreamEnded
from support.serving import CheckedHttpd
from support.waiting import TIMEOUT

MEGABYTE = 1024 * 1024
SMALL_FILES = 3000

ENTRY = """\
    import array, os, socket, struct

    def connection():
        # The descriptor of the connection that is being served.
        for name in os.listdir("/proc/self/fd"):
            try:
                found = socket.socket(fileno=os.dup(int(name)))
            except OSError:
                continue
            if found.family == socket.AF_UNIX and found.type == socket.SOCK_STREAM:
                if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    return found
            found.close()

    def die_amid(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "300000")])
        yield os.urandom(100000)
        os._exit(1)

    def fail_a_filter(environ, start_response):
        # See the filter's limit for a line.
        start_response("200 OK", [("Content-Type", "text/html")])
        yield b"a line\\n" * 20000
        yield b"a" * 2000
        yield b"\\n"

    def break_the_protocol(environ, start_response):
        # All at once, so that httpd never waits for more and passes on what a filter holds.
        head = b"Status: 200 OK\\r\\nContent-Type: text/html\\r\\n\\r\\n"
        connection().sendall(head + struct.pack(">I", 40000) + b"x" * 40000 + b"\\x80\\0\\0\\0")
        os._exit(1)

    def die(environ, start_response):
        os._exit(1)

    def refuse(environ, start_response):
        start_response("403 Not Here", [("Content-Type", "text/plain"), ("Content-Length", "10")])
        return [b"not wanted"]

    def pass_small_files(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"files: "
        wire = connection()
        frame = b"\\xff\\xff\\xff\\xff" + struct.pack(">QQ", 0, 1)
        for number in range(%d):
            file = os.open(__file__, os.O_RDONLY)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))
            wire.sendmsg([frame], [rights])
            os.close(file)
        yield b"."

    def application(environ, start_response):
        return globals()[environ["PATH_INFO"].lstrip("/")](environ, start_response)
    """

FAILING_FILTER = """\
    <Location "/fail_a_filter">
    SetOutputFilter SUBSTITUTE
    Substitute s/a/aa/
    SubstituteMaxLineLength 1000
    </Location>
    """


@pytest.fixture
def app(apps: AppFolders) -> AppFolder:
    return apps.create(name="ends", entry=ENTRY % SMALL_FILES)


@pytest.fixture
def server(httpd: CheckedHttpd, app: AppFolder) -> CheckedHttpd:
    httpd.module("deflate", "filter", "substitute", "http2")
    httpd.add("AddOutputFilterByType DEFLATE text/html")
    httpd.add("Protocols h2c http/1.1\nH2Direct on")
    httpd.site(document_root=app.public, body=f"PassengerBufferUpload off\n{FAILING_FILTER}")
    # The app looks for its connection: there must be no other that is kept.
    configuration = httpd.folder / "spawner.conf"
    configuration.write_text("[apps]\ndisabled_capabilities = keep-alive,\n")
    httpd.add(f'PassengerSpawnerConfigFile "{configuration}"')
    httpd.logs.allow("JS")
    httpd.start()
    return httpd


def test_a_compressed_answer_that_is_cut_is_reset_for_a_client_that_knows_no_chunks(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head("GET /die_amid HTTP/1.0", "Accept-Encoding: gzip")
        with pytest.raises(ConnectionResetError):
            wire.read_to_end()


def test_an_answer_that_a_filter_fails_on_amid_is_reset_for_a_client_that_knows_no_chunks(server: CheckedHttpd) -> None:
    server.logs.expect("AH01328: Line too long")
    with Wire(server.port) as wire:
        wire.head("GET /fail_a_filter HTTP/1.0")
        with pytest.raises(ConnectionResetError):
            wire.read_to_end()


def test_an_answer_that_a_filter_fails_on_amid_has_no_last_chunk(server: CheckedHttpd) -> None:
    server.logs.expect("AH01328: Line too long")
    with Wire(server.port) as wire:
        wire.head("GET /fail_a_filter HTTP/1.1")
        with pytest.raises(http.client.IncompleteRead):
            wire.answer()


def test_an_answer_that_a_filter_fails_on_amid_is_reset_over_http2(server: CheckedHttpd) -> None:
    server.logs.expect("AH01328: Line too long")
    connection = Http2Connection(server.port)
    connection.ask("GET", "/fail_a_filter", "site.example")
    with pytest.raises(StreamEnded):
        connection.read_answer()
    connection.close()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_answer_that_is_cut_while_a_filter_holds_all_of_it_is_a_502(server: CheckedHttpd, version: str) -> None:
    with Wire(server.port) as wire:
        wire.head(f"GET /break_the_protocol HTTP/{version}", "Accept-Encoding: gzip")
        assert wire.answer().status == 502


@pytest.mark.parametrize("length", [50000, 64 * MEGABYTE])
@pytest.mark.parametrize(("path", "status"), [("/die", 502), ("/refuse", 403)])
def test_an_early_end_reaches_a_client_that_waits_for_it_amid_its_body(
    server: CheckedHttpd, path: str, status: int, length: int
) -> None:
    with Wire(server.port) as wire:
        wire.head(f"POST {path} HTTP/1.1", f"Content-Length: {length}")
        wire.send(b"some of it")
        assert wire.answer("POST").status == status


def test_an_early_end_reaches_a_client_that_waits_for_it_amid_a_chunked_body(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head("POST /die HTTP/1.1", "Transfer-Encoding: chunked")
        wire.send(b"4\r\nsome\r\n")
        assert wire.answer("POST").status == 502


def test_the_rest_of_a_small_body_is_no_request_when_the_connection_goes_on(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        rest = b"GET /die HTTP/1.1\r\nHost: site.example\r\n\r\n"
        wire.head("POST /refuse HTTP/1.1", f"Content-Length: {len(rest)}")
        assert wire.answer("POST").status == 403
        wire.send(rest)
        wire.head("GET /refuse HTTP/1.1")
        assert wire.answer().status == 403


@contextlib.contextmanager
def most_descriptors(server: CheckedHttpd) -> Iterator[Callable[[], int]]:
    """Count, from here on, the descriptors of httpd's children: the most that any one of them had."""
    children = [child.pid for child in server.children("apache2")]
    most, counts, enough = 0, threading.Event(), threading.Event()

    def count() -> None:
        nonlocal most
        while not enough.is_set():
            most = max([most, *(sum(open_descriptors(pid).values()) for pid in children)])
            counts.set()

    counting = threading.Thread(target=count)
    counting.start()
    try:
        assert counts.wait(TIMEOUT)
        yield lambda: most
    finally:
        enough.set()
        counting.join()


def test_an_app_that_passes_many_small_files_does_not_use_up_httpds_descriptors(server: CheckedHttpd) -> None:
    assert server.get("/refuse").status == 403
    with most_descriptors(server) as most:
        answer = server.get("/pass_small_files")
        assert len(answer.body) == len(b"files: ") + SMALL_FILES + 1
        assert 0 < most() < 200
