"""A client that sends what it must not over HTTP/2: what httpd refuses without us never reaches an app, and what
reaches one is what the rules say. Resets in each state leave nothing behind.

As in test_hostile_client.py, a script of httpd's own shows what httpd does without us; HOSTILE_SEED chooses the cuts.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import Callable, Iterator, NamedTuple

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.cuts import SEED, WAYS, send_cut
from support.hostile_streams import (
    BODIES,
    FRAMES,
    NEXT_STREAM,
    STREAM,
    STREAMS,
    HostileStream,
    headers,
    number,
    pseudo,
)
from support.hpack import encoded, status_of
from support.http2 import (
    DATA,
    END_STREAM,
    HEADERS,
    SMALL_WINDOW,
    Http2Connection,
    StreamEnded,
)
from support.httpd_child import ONE_CHILD, HttpdChild
from support.serving import CheckedHttpd
from support.telling_apps import (
    calls_of,
    create_telling_app,
    differences,
    script_lines,
    told_by_app,
    told_by_script,
)
from support.waiting import eventually

APPS = ("site.example", "streaming.example")
PLAIN = "plain.example"


class Seen(NamedTuple):
    """One answer; its status is 0 if the server has ended the stream or the connection instead."""

    status: int
    body: bytes

    @property
    def reached(self) -> str | None:
        """The REQUEST_URI that an app or the script has been asked for."""
        if self.body.startswith(b"[{"):
            return told_by_app(self.body)[0]["REQUEST_URI"]
        return told_by_script(self.body).get("REQUEST_URI")


@pytest.fixture(scope="module")
def app(shared_apps: AppFolders) -> AppFolder:
    return create_telling_app(shared_apps, "told")


@pytest.fixture(scope="module")
def streaming_app(shared_apps: AppFolders) -> AppFolder:
    return create_telling_app(shared_apps, "streaming")


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, app: AppFolder, streaming_app: AppFolder) -> CheckedHttpd:
    shared_httpd.module("cgid", "http2")
    shared_httpd.add(f"ScriptSock {shared_httpd.folder}/run/cgid.sock\nProtocols h2c http/1.1\nH2Direct on")
    shared_httpd.add(f"PassengerMinInstances 2\nSendBufferSize 65536\n{ONE_CHILD}")
    shared_httpd.site("site.example", app.public)
    shared_httpd.site("streaming.example", streaming_app.public, "PassengerBufferUpload off")
    shared_httpd.site(PLAIN, app.public, script_lines(app))
    shared_httpd.start()
    return shared_httpd


@pytest.fixture(scope="module")
def child(server: CheckedHttpd) -> HttpdChild:
    return HttpdChild(server, [partial(check_goes_on, server, host) for host in (*APPS, PLAIN)])


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_no_request_reaches_no_app_and_what_is_one_is_what_it_seems(
    server: CheckedHttpd, app: AppFolder, child: HttpdChild, name: str
) -> None:
    server.logs.allow("AH[01]")
    case, calls = STREAMS[name], calls_of(app)
    asked = [*((way, host) for way in WAYS for host in APPS), (WAYS[0], PLAIN)]
    running = [Background(partial(send, case, way, host, server.port)) for way, host in asked]
    seen = {each: answer.result() for each, answer in zip(asked, running)}
    wrong = []
    for (way, host), answer in seen.items():
        for complaint in complaints(case, answer, seen[WAYS[0], PLAIN]) if host != PLAIN else []:
            wrong.append(f"{case.name}, {way}, {host}: {complaint}; answered {answer.status}")
    assert not wrong, f"HOSTILE_SEED={SEED}\n" + "\n".join(wrong)
    check_goes_on(server)
    called = calls_of(app) - calls - 1
    assert called == (case.reaches is not None) * len(WAYS) or (case.begins and called <= len(WAYS))
    child.check_unchanged(may_have_crashed=case in BODIES)


def complaints(case: HostileStream, answer: Seen, plain: Seen) -> Iterator[str]:
    may_reach = (case.reaches, "/t") if case.begins else (case.reaches,)
    if answer.reached not in may_reach:
        yield f"the app has got {answer.reached!r}"
    if answer.reached is not None and plain.reached is None and not case.begins:
        yield f"httpd by itself refuses it: {plain.status}"
    if answer.reached is not None:
        environ, body = told_by_app(answer.body)
        yield from (
            f"{name} is {environ.get(name)!r}" for name in case.environ if environ.get(name) != case.environ[name]
        )
        if body != case.body:
            yield f"the body is {body!r}"
        yield from differences(environ, told_by_script(plain.body)) if plain.reached else ()


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_belong_nowhere_end_their_connection_at_most(
    server: CheckedHttpd, child: HttpdChild, name: str
) -> None:
    server.logs.allow("AH[01]")
    running = [Background(partial(send_frames, name, way, server.port)) for way in WAYS]
    answers = [each.result() for each in running]
    assert [each for each in answers if each.reached not in (None, "/next")] == []
    check_goes_on(server)
    child.check_unchanged()


class Stay(NamedTuple):
    """A client that is at some point of a request to a host, whose app can be looked at."""

    connection: Http2Connection
    host: str
    app: AppFolder

    def is_called(self, path: str, **options: bool) -> None:
        """Ask, and wait until the app has been called."""
        calls = calls_of(self.app)
        self.connection.ask("POST" if options else "GET", path, self.host, **options)
        if options:
            self.connection.send_body([b"half"], ends=False)
        eventually(lambda: calls_of(self.app) > calls, "the app to be called")


def before_the_app_is_called(stay: Stay) -> None:
    stay.connection.ask("GET", "/t", stay.host)


def while_the_app_works(stay: Stay) -> None:
    stay.is_called("/wait")


def amid_an_upload(stay: Stay) -> None:
    stay.connection.ask("POST", "/t", stay.host, has_body=True)
    stay.connection.send_body([b"half"], ends=False)
    stay.connection.ping()


def amid_an_upload_that_the_app_reads(stay: Stay) -> None:
    if stay.host == "streaming.example":
        stay.is_called("/t", has_body=True)
    else:
        amid_an_upload(stay)


def amid_the_answer(stay: Stay) -> None:
    stay.connection.ask("GET", "/big", stay.host)
    assert [stay.connection.read().kind, stay.connection.read().kind] == [HEADERS, DATA]


def behind_the_answer(stay: Stay) -> None:
    stay.connection.ask("GET", "/t", stay.host)
    assert read(stay.connection).reached == "/t"


STATES = [
    before_the_app_is_called,
    while_the_app_works,
    amid_an_upload,
    amid_an_upload_that_the_app_reads,
    amid_the_answer,
    behind_the_answer,
]


@pytest.mark.parametrize("host", APPS)
@pytest.mark.parametrize("state", STATES)
def test_a_client_that_leaves_in_any_state_leaves_nothing_behind(
    server: CheckedHttpd,
    app: AppFolder,
    streaming_app: AppFolder,
    child: HttpdChild,
    state: Callable[[Stay], None],
    host: str,
) -> None:
    server.logs.allow("AH[01]|JS3")
    its_app = app if host == "site.example" else streaming_app
    for leave in (reset_stream, close_at_once, Http2Connection.close):
        connection = Http2Connection(server.port, SMALL_WINDOW, 4096)
        state(Stay(connection, host, its_app))
        leave(connection)
        its_app.open_gate("wait")
        if leave is reset_stream:
            connection.ask("GET", "/t", host)
            assert read(connection).reached == "/t"
            connection.close()
        check_goes_on(server, host)
        (its_app.events / "gate-wait").unlink()
    child.check_unchanged()


def reset_stream(connection: Http2Connection) -> None:
    """And let the server send on the connection again: the stream may have used up all that it might."""
    connection.reset()
    connection.allow(SMALL_WINDOW)


def close_at_once(connection: Http2Connection) -> None:
    """With an RST of TCP."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def check_goes_on(server: CheckedHttpd, host: str = "site.example") -> None:
    connection = Http2Connection(server.port)
    connection.ask("GET", "/t", host)
    assert read(connection).reached == "/t"
    connection.close()


def cutting_connection(port: int, way: str, name: str) -> Http2Connection:
    """Its preface comes whole: by that, httpd tells it from one of HTTP/1."""
    connection = Http2Connection(port)
    connection.write = lambda to, data: send_cut(to, data, way, name)
    return connection


def send(case: HostileStream, way: str, host: str, port: int) -> Seen:
    connection = cutting_connection(port, way, case.name)
    try:
        connection.ask_exactly(case.sent(host), STREAM)
        return read(connection)
    except (BrokenPipeError, ConnectionResetError):
        return Seen(0, b"")
    finally:
        connection.close()


def send_frames(name: str, way: str, port: int) -> Seen:
    """What the next request on the same connection gets."""
    following = headers(encoded([(key, value.replace("$HOST", "site.example")) for key, value in pseudo(path="/next")]))
    following = following[:5] + number(NEXT_STREAM) + following[9:]
    connection = cutting_connection(port, way, name)
    try:
        connection.ask_exactly(FRAMES[name] + following, NEXT_STREAM)
        return read(connection)
    except (BrokenPipeError, ConnectionResetError):
        return Seen(0, b"")
    finally:
        connection.close()


def read(connection: Http2Connection) -> Seen:
    status, body = 0, b""
    try:
        while True:
            came = connection.read()
            if came.kind == HEADERS and not status:
                status = status_of(came.content)
            elif came.kind == DATA:
                body += came.content
            if came.flags & END_STREAM:
                return Seen(status, body)
    except (StreamEnded, EOFError, ConnectionResetError):
        return Seen(0, b"")
