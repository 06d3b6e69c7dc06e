"""A worker that answers what it must not, over HTTP/1.1 and HTTP/2: no client is deceived, and httpd goes on as before.

HOSTILE_SEED repeats or changes the places at which answers are cut; a failure names it.
"""

from __future__ import annotations

import http.client
import re
from functools import partial
from typing import Callable, Iterator, NamedTuple, Sequence

import pytest

from support.applications import AppFolder
from support.background import Background
from support.client import Wire
from support.cuts import SEED, WAYS
from support.hostile_answers import CASES, ENDLESS, SLOW_CASES
from support.hostile_worker import Case, HostileWorker
from support.hpack import status_of
from support.http2 import DATA, END_STREAM, HEADERS, SMALL_WINDOW, Http2Connection, StreamEnded
from support.httpd_child import ONE_CHILD, HttpdChild
from support.serving import CheckedHttpd

PROTOCOLS = ("http-1", "http-2")
#: How many requests with the same case are sent.
RUNS = len(WAYS) * len(PROTOCOLS)
#: Bytes that a client's socket holds, so few that the answer cannot be behind it.
SMALL_BUFFER = 4096
NORMAL = (200, b"normal", True)


class Seen(NamedTuple):
    """What a client has seen: the status, the body as far as it came, and whether that is all. Instead of a status 0
    for nothing, -1 for what is no answer."""

    status: int
    body: bytes
    is_whole: bool


CLOSED = Seen(0, b"", False)


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    shared_httpd.module("http2")
    # More workers than the requests of one test; small buffers, so that a client can be amid an answer.
    shared_httpd.add("Protocols h2c http/1.1\nH2Direct on\nSendBufferSize 65536")
    shared_httpd.add(ONE_CHILD)
    for host, directives in (
        ("framed.example", ""),
        ("plain.example", ""),
        ("http.example", ""),
        ("limited.example", "PassengerMaxRequestTime 1"),
        ("plain-limited.example", "PassengerMaxRequestTime 1"),
    ):
        shared_httpd.site(host, shared_probe.public, f"{directives}\nPassengerAppGroupName {host}")
    shared_httpd.start()
    return shared_httpd


@pytest.fixture(scope="module")
def worker(server: CheckedHttpd) -> Iterator[HostileWorker]:
    worker = HostileWorker(
        server, {**CASES, **SLOW_CASES, ENDLESS.name: ENDLESS}, {"plain": "", "http": "http"}
    )
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def child(server: CheckedHttpd, worker: HostileWorker) -> HttpdChild:
    return HttpdChild(server, [partial(check_goes_on, each, server) for each in PROTOCOLS])


@pytest.mark.parametrize("name", CASES)
def test_an_answer_deceives_nobody(server: CheckedHttpd, worker: HostileWorker, child: HttpdChild, name: str) -> None:
    check([CASES[name]], server, worker, child)


def test_a_worker_that_does_not_go_on_keeps_nobody_longer_than_its_time(
    server: CheckedHttpd, worker: HostileWorker, child: HttpdChild
) -> None:
    check(list(SLOW_CASES.values()), server, worker, child)


def test_an_endless_answer_ends_when_its_client_leaves(
    server: CheckedHttpd, worker: HostileWorker, child: HttpdChild
) -> None:
    with Wire(server.port, receive_buffer=SMALL_BUFFER) as wire:
        wire.head(f"GET /{ENDLESS.name}/whole HTTP/1.1", host=ENDLESS.host)
        assert wire.open_answer().read1()
    connection = Http2Connection(server.port, SMALL_WINDOW, SMALL_BUFFER)
    connection.ask("GET", f"/{ENDLESS.name}/whole", ENDLESS.host)
    assert [connection.read().kind, connection.read().kind] == [HEADERS, DATA]
    connection.close()
    check_child(server, child)
    assert worker.errors == []


def check(cases: Sequence[Case], server: CheckedHttpd, worker: HostileWorker, child: HttpdChild) -> None:
    """Ask for each of them, over each protocol and in each way, at once; then look whether all is as it was."""
    for case in cases:
        if case.logged:
            server.logs.allow(f"JS{case.logged.rstrip('?')}:")
    logged_before = {case.host: server.logs.text(f"{case.host}.log") for case in cases}
    asked = [(case, way, protocol) for case in cases for way in WAYS for protocol in PROTOCOLS]
    running = [Background(partial(ask_for, *each, server, worker)) for each in asked]
    wrong = []
    for (case, way, protocol), each in zip(asked, running):
        seen = each.result()
        if not case.outcome(*seen):
            wrong.append(f"{case.name}, {way}, {protocol}: {seen.status} {seen.body[:100]!r} whole: {seen.is_whole}")
    assert not wrong, f"HOSTILE_SEED={SEED}\n" + "\n".join(wrong)
    assert worker.errors == []
    check_logged(cases, server, logged_before)
    check_child(server, child)


def check_logged(cases: Sequence[Case], server: CheckedHttpd, before: dict[str, str]) -> None:
    for host, text in before.items():
        patterns = [case.logged for case in cases if case.host == host]
        new = server.logs.text(f"{host}.log")[len(text) :]
        numbers = re.findall(r"^.*:(?:error|warn)\].* JS(\d+):", new, re.MULTILINE)
        surely = RUNS * sum(bool(pattern) and pattern[-1] != "?" for pattern in patterns)
        most = RUNS * sum(map(bool, patterns))
        assert surely <= len(numbers) <= most, f"HOSTILE_SEED={SEED}: {numbers}"
        assert all(any(re.fullmatch(pattern.rstrip("?"), number) for pattern in patterns) for number in numbers)


def check_child(server: CheckedHttpd, child: HttpdChild) -> None:
    """The same child serves, and has what it had."""
    for protocol in PROTOCOLS:
        check_goes_on(protocol, server)
    child.check_unchanged()


def check_goes_on(protocol: str, server: CheckedHttpd) -> None:
    assert ask_over(protocol, server, "/", "framed.example") == NORMAL


def ask_for(case: Case, way: str, protocol: str, server: CheckedHttpd, worker: HostileWorker) -> Seen:
    path = f"/{case.name}/{way.replace(' ', '-')}/{protocol}"
    if not case.stops_halfway:
        return ask_over(protocol, server, path, case.host)
    return ask_over(protocol, server, path, case.host, worker.halfway(path).wait_in_client, SMALL_BUFFER)


def ask_over(
    protocol: str,
    server: CheckedHttpd,
    path: str,
    host: str,
    is_amid: Callable[[], None] = lambda: None,
    client_buffer: int = 0,
) -> Seen:
    ask = ask_http1 if protocol == "http-1" else ask_http2
    return ask(server, path, host, is_amid, client_buffer)


def ask_http1(server: CheckedHttpd, path: str, host: str, is_amid: Callable[[], None], client_buffer: int) -> Seen:
    """And ask again on the same connection, if that goes on. A server may close it after each answer."""
    with Wire(server.port, receive_buffer=client_buffer) as wire:
        wire.head(f"GET {path} HTTP/1.1", host=host)
        seen, goes_on = read_http1(wire, is_amid)
        if goes_on and path != "/":
            wire.head("GET / HTTP/1.1", host=host)
            following = read_http1(wire, lambda: None)[0]
            assert following in (NORMAL, CLOSED), f"the next answer on the connection is {following}"
    return seen


def read_http1(wire: Wire, is_amid: Callable[[], None]) -> tuple[Seen, bool]:
    """What was seen, and whether the connection goes on."""
    body = b""
    try:
        response = wire.open_answer()
        assert not response.getheader("X-Injected")
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return CLOSED, False
    except http.client.HTTPException as error:
        return Seen(-1, repr(error).encode(), False), False
    try:
        while more := response.read1(65536):
            is_amid()
            body += more
        left = response.length
    except (http.client.HTTPException, ConnectionResetError, ValueError):
        return Seen(response.status, body, False), False
    is_amid()
    return Seen(response.status, body, not left), not left and not response.will_close


def ask_http2(server: CheckedHttpd, path: str, host: str, is_amid: Callable[[], None], client_buffer: int) -> Seen:
    """And ask again on the same connection, which goes on whatever has happened to the stream."""
    connection = Http2Connection(server.port, SMALL_WINDOW, client_buffer)
    try:
        connection.ask("GET", path, host)
        seen = read_http2(connection, is_amid)
        if path != "/":
            connection.ask("GET", "/", host)
            assert read_http2(connection, lambda: None) == NORMAL, "the next answer on the connection"
    finally:
        connection.close()
    return seen


def read_http2(connection: Http2Connection, is_amid: Callable[[], None]) -> Seen:
    status, body, taken = 0, b"", 0
    try:
        while True:
            came = connection.read()
            if came.kind == HEADERS:
                status = status_of(came.content)
            else:
                body += came.content
                is_amid()
            if came.flags & END_STREAM:
                return Seen(status, body, True)
            if len(body) - taken > SMALL_WINDOW // 2:
                connection.allow(len(body) - taken)
                taken = len(body)
    except StreamEnded:
        return Seen(status, body, False)
