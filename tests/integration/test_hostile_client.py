"""A client that sends what it must not over HTTP/1: what httpd refuses without us never reaches an app, and what
reaches one is what the rules say.

Each is sent to two virtual hosts with an app and to one with a script of httpd's own, which shows what httpd does
without us. HOSTILE_SEED repeats or changes the places at which the bytes are cut; a failure names it.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import re
import urllib.parse
from functools import partial
from typing import Iterator, NamedTuple, Sequence

import psutil
import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Answer, Wire
from support.cuts import SEED, WAYS, send_cut
from support.hostile_requests import LAST, REQUESTS, UNFINISHED, HostileRequest
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

APPS = ("site.example", "streaming.example")
PLAIN = "plain.example"
#: The same on a port whose clients have little time, and may send any number of headers.
HASTY = {"site.example": "hasty.example", "streaming.example": "hasty-streaming.example", PLAIN: "hasty-plain.example"}


class Seen(NamedTuple):
    """One answer on a connection. `reached`: the REQUEST_URI that an app or the script has been asked for."""

    status: int
    reached: str | None
    body: bytes


@pytest.fixture(scope="module")
def app(shared_apps: AppFolders) -> AppFolder:
    return create_telling_app(shared_apps, "told")


@pytest.fixture(scope="module")
def streaming_app(shared_apps: AppFolders) -> AppFolder:
    return create_telling_app(shared_apps, "streaming")


@pytest.fixture(scope="module")
def hasty_port(shared_httpd: CheckedHttpd) -> int:
    return shared_httpd.another_port()


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, app: AppFolder, streaming_app: AppFolder, hasty_port: int) -> CheckedHttpd:
    shared_httpd.module("cgid")
    shared_httpd.add(f"ScriptSock {shared_httpd.folder}/run/cgid.sock\nListen 127.0.0.1:{hasty_port}")
    shared_httpd.add(f"PassengerMinInstances 2\n{ONE_CHILD}")
    for names, port, directives in (
        ({name: name for name in HASTY}, None, ""),
        (HASTY, hasty_port, "Timeout 1\nLimitRequestFields 0\n"),
    ):
        shared_httpd.site(names["site.example"], app.public, directives, port)
        streaming = f"{directives}PassengerBufferUpload off"
        shared_httpd.site(names["streaming.example"], streaming_app.public, streaming, port)
        shared_httpd.site(names[PLAIN], app.public, f"{directives}{script_lines(app)}", port)
    shared_httpd.start()
    return shared_httpd


@pytest.fixture(scope="module")
def child(server: CheckedHttpd) -> HttpdChild:
    return HttpdChild(server, [partial(server.get, "/t", host) for host in (*APPS, PLAIN)])


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_no_request_reaches_no_app_and_what_is_one_is_what_it_seems(
    server: CheckedHttpd, app: AppFolder, child: HttpdChild, name: str
) -> None:
    check([REQUESTS[name]], server, app, child, server.port, {name: name for name in HASTY})


def test_what_never_comes_to_its_end_reaches_no_app(
    server: CheckedHttpd, app: AppFolder, child: HttpdChild, hasty_port: int
) -> None:
    check(UNFINISHED, server, app, child, hasty_port, HASTY)


def test_http_0_9_gets_the_body_alone(server: CheckedHttpd, app: AppFolder, child: HttpdChild) -> None:
    with Wire(server.port) as wire:
        wire.send(b"GET /t\r\n")
        environ, _ = json.loads(wire.read_to_end())
    assert (environ["SERVER_PROTOCOL"], environ["REQUEST_URI"]) == ("HTTP/0.9", "/t")
    child.check_unchanged()


def with_headers(count: int, port: int) -> Answer:
    with Wire(port) as wire:
        wire.head("GET /t HTTP/1.1", *(f"X{number}: a" for number in range(count)), host="hasty.example")
        return wire.answer()


def test_very_many_headers_reach_the_app_in_a_time_that_grows_with_their_number_only(
    server: CheckedHttpd, child: HttpdChild, hasty_port: int
) -> None:
    before = psutil.Process(child.pid).cpu_times().user
    environ, _ = with_headers(60_000, hasty_port).json()
    assert len([name for name in environ if name.startswith("HTTP_X")]) == 60_000
    assert psutil.Process(child.pid).cpu_times().user - before < 5
    child.check_unchanged()


def test_more_headers_than_a_message_to_an_app_can_have_are_refused(
    server: CheckedHttpd, app: AppFolder, child: HttpdChild, hasty_port: int
) -> None:
    server.logs.expect("JS2122")
    calls = calls_of(app)
    assert (with_headers(150_000, hasty_port).status, calls_of(app)) == (431, calls)
    child.check_unchanged()


def check(
    cases: Sequence[HostileRequest],
    server: CheckedHttpd,
    app: AppFolder,
    child: HttpdChild,
    port: int,
    names: dict[str, str],
) -> None:
    """Send each of them to each host and in each way at once; then look whether all is as it was."""
    server.logs.allow("AH[01]")
    calls = calls_of(app)
    asked = [(case, way, host) for case in cases for way in WAYS for host in APPS]
    asked += [(case, WAYS[0], PLAIN) for case in cases]
    running = [Background(partial(send, case, way, names[host], port)) for case, way, host in asked]
    seen = {each: answers.result() for each, answers in zip(asked, running)}
    wrong = []
    for (case, way, host), answers in seen.items():
        plain = seen[case, WAYS[0], PLAIN]
        for complaint in complaints(case, answers, plain) if host != PLAIN else []:
            wrong.append(f"{case.name}, {way}, {host}: {complaint}; answered {[each.status for each in answers]}")
    assert not wrong, f"HOSTILE_SEED={SEED}\n" + "\n".join(wrong)
    reached = sum(len(reached_by(answers)) for (_, _, host), answers in seen.items() if host == "site.example")
    assert calls_of(app) - calls == reached
    assert server.get("/t").status == 200
    child.check_unchanged()


def complaints(case: HostileRequest, answers: list[Seen], plain: list[Seen]) -> Iterator[str]:
    reached = reached_by(answers)
    goes_on = reached[-1:] == ["/last"]
    if reached != [*case.reaches, *(["/last"] if goes_on else [])] or case.goes_on not in (None, goes_on):
        yield f"the app has got {reached}"
    more = [uri for uri in reached_by(answers) if uri not in reached_by(plain)]
    if more:
        yield f"httpd by itself refuses {more}: it has answered {[each.status for each in plain]}"
    if case.reaches and answers and answers[0].status == 200:
        environ, body = told_by_app(answers[0].body)
        yield from (
            f"{name} is {environ.get(name)!r}" for name in case.environ if environ.get(name) != case.environ[name]
        )
        if body != case.body:
            yield f"the body is {body!r}"
        yield from differences(environ, told_by_script(plain[0].body)) if plain and plain[0].reached else ()


def reached_by(answers: list[Seen]) -> list[str]:
    return [each.reached for each in answers if each.reached is not None]


def send(case: HostileRequest, way: str, host: str, port: int) -> list[Seen]:
    """All answers on a connection, until the server closes it."""
    with Wire(port) as wire:
        sent = b"" if case in UNFINISHED else LAST
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has been refused
            send_cut(wire.socket, (case.sent + sent).replace(b"$HOST", host.encode()), way, case.name)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            received = wire.read_to_end()
    return list(answers_in(received))


class Received:
    """What has come, as a socket for http.client."""

    def __init__(self, received: bytes) -> None:
        self.stream = io.BytesIO(received)

    def makefile(self, mode: str) -> io.BytesIO:
        self.stream.close = lambda: None  # type: ignore[method-assign]
        return self.stream


def without_host(target: str | None) -> str | None:
    return re.sub("^http://[^/]+", "", target) if target is not None else None


def answers_in(received: bytes) -> Iterator[Seen]:
    came = Received(received)
    while came.stream.tell() < len(received):
        response = http.client.HTTPResponse(came)  # type: ignore[arg-type]
        try:
            response.begin()
            body = response.read()
        except http.client.HTTPException:
            yield Seen(0, None, received)
            return
        assert not response.getheader("X-Injected")
        reached = response.getheader("X-Reached")
        if reached is not None:
            reached = urllib.parse.unquote(reached, "latin-1")
        yield Seen(response.status, reached or without_host(response.getheader("X-Script")), body)
