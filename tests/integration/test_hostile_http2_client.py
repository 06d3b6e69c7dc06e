"""A client that sends what it must not over HTTP/2: what httpd refuses without us never reaches an app, and what
reaches one is what the rules say. Resets in each state leave nothing behind.

As in test_hostile_client.py, a script of httpd's own shows what httpd does without us; HOSTILE_SEED chooses the cuts.
"""

from __future__ import annotations

from functools import partial
from typing import Iterator, NamedTuple

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.cuts import SEED, WAYS, send_cut
from support.hostile_streams import FRAMES, NEXT_STREAM, STREAM, STREAMS, HostileStream, headers, number, pseudo
from support.hpack import encoded, status_of
from support.http2 import (
    DATA,
    END_STREAM,
    HEADERS,
    Http2Connection,
    StreamEnded,
)
from support.httpd_child import HttpdChild, warm_child
from support.serving import CheckedHttpd
from support.telling_apps import (
    calls_of,
    create_telling_app,
    differences,
    script_lines,
    told_by_app,
    told_by_script,
)

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
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders, app: AppFolder) -> CheckedHttpd:
    shared_httpd.module("cgid", "http2")
    shared_httpd.add(f"ScriptSock {shared_httpd.folder}/run/cgid.sock\nProtocols h2c http/1.1\nH2Direct on")
    shared_httpd.add("PassengerMinInstances 2")
    shared_httpd.site("site.example", app.public)
    streaming = create_telling_app(shared_apps, "streaming")
    shared_httpd.site("streaming.example", streaming.public, "PassengerBufferUpload off")
    shared_httpd.site(PLAIN, app.public, script_lines(app))
    shared_httpd.start()
    return shared_httpd


@pytest.fixture(scope="module")
def child(server: CheckedHttpd) -> HttpdChild:
    return warm_child(server, [partial(check_goes_on, server, host) for host in (*APPS, PLAIN)])


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_no_request_reaches_no_app_and_what_is_one_is_what_it_seems(
    server: CheckedHttpd, app: AppFolder, child: HttpdChild, name: str
) -> None:
    server.logs.allow("AH[01]")
    case, calls = STREAMS[name], calls_of(app)
    asked = [(way, host) for way in WAYS for host in (*APPS, PLAIN)]
    running = [Background(partial(send, case, way, host, server.port)) for way, host in asked]
    seen = {each: answer.result() for each, answer in zip(asked, running)}
    wrong = []
    for (way, host), answer in seen.items():
        for complaint in complaints(case, answer, seen[way, PLAIN]) if host != PLAIN else []:
            wrong.append(f"{case.name}, {way}, {host}: {complaint}; answered {answer.status}")
    assert not wrong, f"HOSTILE_SEED={SEED}\n" + "\n".join(wrong)
    check_goes_on(server)
    assert calls_of(app) - calls == (case.reaches is not None) * len(WAYS) + 1
    child.check_unchanged()


def complaints(case: HostileStream, answer: Seen, plain: Seen) -> Iterator[str]:
    if answer.reached != case.reaches:
        yield f"the app has got {answer.reached!r}"
    if answer.reached is not None and plain.reached is None:
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
