"""A backend that speaks HTTP/1.1: what it is sent, and what its answers become (docs/protocol.md)."""

from __future__ import annotations

import http.client
from typing import Callable, Iterator

import pytest

from support.applications import AppFolder
from support.background import Background
from support.client import Answer, Wire
from support.hpack import status_of
from support.http2 import END_STREAM, HEADERS, Http2Connection
from support.httpd_child import ONE_CHILD
from support.scripted_loader import TOKEN, Exchange, ScriptedLoader
from support.serving import CheckedHttpd

#: More than what the module keeps in memory, so that it goes through a file.
SPOOLED = bytes(range(256)) * 4096
OK = b"HTTP/1.1 200 OK\r\n"
ROUTE = "0123456789abcdef"
#: Who sends early hints, and how its heads begin.
HINTING = [("http.example", b"HTTP/1.1 "), ("scgi.example", b"Status: ")]

#: Each virtual host: the capabilities of its loader, and its directives. The first one's are those of HTTP/2.
HOSTS = {
    "http2.example": ("http", "Protocols h2c http/1.1\nH2Direct on\nH2EarlyHints on"),
    "http.example": ("http", ""),
    "streaming.example": ("http framed-body", "PassengerBufferUpload off"),
    "storing.example": ("http", "PassengerBufferUpload off"),
    "expecting.example": ("http framed-body expect", "PassengerBufferUpload off"),
    "limited.example": ("http", "PassengerMaxRequestTime 1"),
    "sticky.example": ("http acknowledge token", "PassengerStickySessions on\nPassengerMaxRequestTime 100"),
    "override.example": ("http", "PassengerErrorOverride on\nErrorDocument 500 our-words"),
    "kept.example": ("http keep-alive", ""),
    "scgi.example": ("", ""),
    "frames.example": ("frames", ""),
}


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    shared_httpd.module("http2")
    shared_httpd.add(ONE_CHILD)
    for name, (_, directives) in HOSTS.items():
        shared_httpd.site(name, shared_probe.public, f"{directives}\nPassengerAppGroupName {name}")
    shared_httpd.start()
    return shared_httpd


@pytest.fixture(scope="module")
def backend(server: CheckedHttpd) -> Iterator[ScriptedLoader]:
    loader = ScriptedLoader(server, capabilities_of=lambda group: HOSTS[group][0])
    yield loader
    loader.close()


Answering = Callable[[Exchange], None]


def asked(
    server: CheckedHttpd, backend: ScriptedLoader, *answer: bytes, host: str = "http.example", method: str = "GET"
) -> Answer:
    """The answer to a request without a body, for which the backend sends these bytes and closes."""
    waiting = Background(lambda: server.request(method, "/", host))
    with backend.accept() as exchange:
        exchange.send(b"".join(answer))
    return waiting.result()


def cut(server: CheckedHttpd, backend: ScriptedLoader, *answer: bytes) -> bytes:
    """What the client has of a response that is cut, after the backend has sent these bytes, one after the other."""
    with Wire(server.port) as wire:
        wire.head("GET / HTTP/1.1", host="http.example")
        with backend.accept() as exchange:
            exchange.send(answer[0])
            response = wire.open_answer()
            body = response.read1()
            exchange.send(b"".join(answer[1:]))
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
    return body + caught.value.partial


# -- the request


def test_a_request_has_the_line_and_the_headers_of_the_client(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with Wire(server.port) as wire:
        wire.head(
            "GET /a%20b/%7e?d=%26e HTTP/1.1",
            "X-Own: one",
            "x-own: two",
            "X_Forwarded_For: 1.2.3.4",
            "Connection: keep-alive, X-Hop",
            "X-Hop: y",
            "TE: trailers",
            "Upgrade: websocket",
            "Proxy-Authorization: secret",
            "Proxy: evil.example",
            "Jumpseat-Token: forged",
            "Cookie: a=b; c=d",
            host="http.example",
        )
        with backend.accept() as exchange:
            assert exchange.request_line == "GET /a%20b/%7e?d=%26e HTTP/1.1"
            assert exchange.headers == [
                ("Host", "http.example"),
                ("X-Own", "one, two"),
                ("Cookie", "a=b; c=d"),
                ("X-Forwarded-For", "127.0.0.1"),
                ("X-Forwarded-Proto", "http"),
                ("X-Forwarded-Host", "http.example"),
                ("Connection", "close"),
            ]
            exchange.send(OK + b"Content-Length: 2\r\n\r\nok")
        assert wire.answer().text == "ok"


def test_what_proxies_in_front_have_said_is_continued(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    forwarded = {"X_Forwarded_For": "10.0.0.1", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "front.example"}
    waiting = Background(lambda: server.get("/", "http.example", **forwarded))
    with backend.accept() as exchange:
        assert exchange.header("X-Forwarded-For") == "10.0.0.1, 127.0.0.1"
        assert exchange.header("X-Forwarded-Proto") == "https"
        assert exchange.header("X-Forwarded-Host") == "front.example"
        exchange.send(OK + b"Content-Length: 0\r\n\r\n")
    assert waiting.result().status == 200


def test_a_client_of_http_1_0_without_a_host_has_the_server_s_name(
    server: CheckedHttpd, backend: ScriptedLoader
) -> None:
    with Wire(server.port) as wire:
        wire.send(b"GET / HTTP/1.0\r\n\r\n")
        with backend.accept() as exchange:
            assert (exchange.header("Host") or "").startswith("http2.example")
            exchange.send(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        assert wire.answer().text == "ok"


@pytest.mark.parametrize("body", [b"", b"small", SPOOLED], ids=["empty", "small", "spooled"])
@pytest.mark.parametrize("host", ["http.example", "streaming.example"])
def test_a_body_of_known_length_is_sent_with_it(
    server: CheckedHttpd, backend: ScriptedLoader, host: str, body: bytes
) -> None:
    waiting = Background(lambda: server.post("/", body, host))
    with backend.accept() as exchange:
        assert exchange.header("Content-Length") == str(len(body))
        assert exchange.header("Transfer-Encoding") is None
        assert exchange.body() == body
        exchange.send(OK + b"Content-Length: 2\r\n\r\nok")
    assert waiting.result().text == "ok"


@pytest.mark.parametrize("size", [0, 5, len(SPOOLED)])
def test_a_body_of_unknown_length_is_sent_in_chunks(server: CheckedHttpd, backend: ScriptedLoader, size: int) -> None:
    blocks = [SPOOLED[:size][start : start + 10007] for start in range(0, size, 10007)]
    with server.client("streaming.example") as client:
        waiting = Background(lambda: client.request("POST", "/", iter(blocks)))
        with backend.accept() as exchange:
            assert exchange.header("Transfer-Encoding") == "chunked"
            assert exchange.header("Content-Length") is None
            assert exchange.read_chunks() == SPOOLED[:size]
            exchange.send(OK + b"Content-Length: 2\r\n\r\nok")
        assert waiting.result().text == "ok"


def test_a_backend_that_reads_no_chunks_gets_a_length(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with server.client("storing.example") as client:
        waiting = Background(lambda: client.request("POST", "/", iter([b"in", b"parts"])))
        with backend.accept() as exchange:
            assert (exchange.header("Content-Length"), exchange.body()) == ("7", b"inparts")
            exchange.send(OK + b"Content-Length: 2\r\n\r\nok")
        assert waiting.result().text == "ok"


def test_a_backend_that_knows_expectations_says_when_the_client_sends_its_body(
    server: CheckedHttpd, backend: ScriptedLoader
) -> None:
    with Wire(server.port) as wire:
        wire.head("POST / HTTP/1.1", "Content-Length: 4", "Expect: 100-continue", host="expecting.example")
        with backend.accept() as exchange:
            assert exchange.header("Expect") == "100-continue"
            exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            wire.send(b"body")
            assert exchange.read(4) == b"body"
            exchange.send(OK + b"Content-Length: 2\r\n\r\nok")
        assert wire.answer("POST").text == "ok"


def test_an_early_answer_saves_the_upload(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with Wire(server.port) as wire:
        wire.head("POST / HTTP/1.1", "Content-Length: 400000", "Expect: 100-continue", host="expecting.example")
        with backend.accept() as exchange:
            exchange.send(b"HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\n\r\nno\n")
            assert (wire.answer("POST").status, exchange.rest) == (413, b"")


def test_a_backend_without_expectations_does_not_see_one(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with Wire(server.port) as wire:
        wire.head("POST / HTTP/1.1", "Content-Length: 4", "Expect: 100-continue", host="streaming.example")
        with backend.accept() as exchange:
            assert exchange.header("Expect") is None
            assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            wire.send(b"body")
            assert exchange.read(4) == b"body"
            exchange.send(OK + b"Content-Length: 2\r\n\r\nok")
        assert wire.answer("POST").text == "ok"


def test_extensions_are_headers(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    waiting = Background(lambda: server.get("/", "sticky.example"))
    with backend.accept() as exchange:
        assert exchange.header("Jumpseat-Token") == TOKEN
        assert exchange.header("Jumpseat-Acknowledge") == "1"
        assert exchange.header("Jumpseat-Time-Limit") == "100000"
        exchange.send(b"HTTP/1.1 102 Processing\r\nRoute: %s\r\n\r\n" % ROUTE.encode())
        exchange.send(OK + b"Content-Length: 2\r\n\r\nok")
    answer = waiting.result()
    assert answer.text == "ok"
    assert ROUTE in (answer.header("Set-Cookie") or "")


# -- the response


def test_a_response_comes_with_its_headers(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    head = b"HTTP/1.1 404 Gone Fishing\r\nContent-Type: text/x\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
    hops = b"Connection: keep-alive, X-Hop\r\nX-Hop: y\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nTrailer: X-Y\r\n"
    answer = asked(server, backend, head, hops, b"Content-Length: 4\r\n\r\nbody")
    assert (answer.status, answer.text, answer.header("Content-Length")) == (404, "body", "4")
    assert answer.all("Set-Cookie") == ["a=b", "c=d"]
    assert answer.header("Content-Type") == "text/x"
    assert not [name for name in ("X-Hop", "Upgrade", "Trailer") if answer.header(name)]


def test_chunks_are_taken_off_and_trailers_dropped(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = asked(server, backend, head, b"3;a=b\r\nabc\r\n002\r\nde\r\n0\r\nX-Trailer: y\r\n\r\n")
    assert (answer.header("Transfer-Encoding"), answer.text, answer.header("X-Trailer")) == ("chunked", "abcde", None)


def test_a_body_without_framing_ends_with_the_connection(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    assert asked(server, backend, b"HTTP/1.0 200 OK\r\n\r\nto the end").text == "to the end"


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_a_body_is_complete_with_its_head(
    server: CheckedHttpd, backend: ScriptedLoader, status: int
) -> None:
    waiting = Background(lambda: server.get("/", "http.example"))
    with backend.accept() as exchange:
        exchange.send(b"HTTP/1.1 %d X\r\nConnection: keep-alive\r\n\r\n" % status)
        assert (waiting.result().status, waiting.result().body) == (status, b"")


def test_the_answer_to_head_has_its_length_and_no_body(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    waiting = Background(lambda: server.request("HEAD", "/", "http.example"))
    with backend.accept() as exchange:
        exchange.send(OK + b"Content-Length: 100000\r\n\r\n")
        answer = waiting.result()
    assert (answer.status, answer.header("Content-Length"), answer.body) == (200, "100000", b"")


def test_a_body_is_complete_with_its_length_though_the_connection_stays(
    server: CheckedHttpd, backend: ScriptedLoader
) -> None:
    waiting = Background(lambda: server.get("/", "http.example"))
    with backend.accept() as exchange:
        exchange.send(OK + b"Content-Length: 4\r\n\r\nbody")
        assert waiting.result().text == "body"


def test_a_body_is_passed_on_as_it_comes(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with Wire(server.port) as wire:
        wire.head("GET / HTTP/1.1", host="http.example")
        with backend.accept() as exchange:
            exchange.send(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            answer = wire.open_answer()
            assert answer.read1() == b"first"
            exchange.send(b"6\r\nsecond\r\n0\r\n\r\n")
            assert answer.read() == b"second"


@pytest.mark.parametrize(("host", "start"), HINTING)
def test_early_hints_reach_the_client_at_once(
    server: CheckedHttpd, backend: ScriptedLoader, host: str, start: bytes
) -> None:
    with Wire(server.port) as wire:
        wire.head("GET / HTTP/1.1", host=host)
        with backend.accept() as exchange:
            exchange.send(start + b"103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
            hints = wire.read_until(b"\r\n\r\n")
            exchange.send(start + b"200 OK\r\nX-Own: a\r\n\r\nok")
        assert hints == b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
        answer = wire.answer()
    assert (answer.status, answer.text, answer.header("X-Own"), answer.header("Link")) == (200, "ok", "a", None)


@pytest.mark.parametrize(("host", "start"), HINTING)
def test_early_hints_reach_a_client_of_http2_at_once(
    server: CheckedHttpd, backend: ScriptedLoader, host: str, start: bytes
) -> None:
    connection = Http2Connection(server.port)
    try:
        connection.ask("GET", "/", host)
        with backend.accept() as exchange:
            exchange.send(start + b"103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
            hints = connection.read()
            exchange.send(start + b"200 OK\r\n\r\nok")
        assert (hints.kind, status_of(hints.content), hints.flags & END_STREAM) == (HEADERS, 103, 0)
        assert connection.read_answer() == (200, b"ok")
    finally:
        connection.close()


def test_a_client_of_http_1_0_gets_no_early_hints(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with Wire(server.port) as wire:
        wire.head("GET / HTTP/1.0", host="scgi.example")
        with backend.accept() as exchange:
            exchange.send(b"Status: 103 Early Hints\r\nLink: x\r\n\r\nStatus: 200 OK\r\n\r\nok")
        assert wire.read_to_end().startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_upgrade_is_refused(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    server.logs.expect("JS2040.*another protocol")
    assert asked(server, backend, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n").status == 502


@pytest.mark.parametrize("host", ["scgi.example", "frames.example"])
@pytest.mark.parametrize(
    "answer",
    [b"Content-Length: 5\r\n\r\nwhole", b"Transfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n", b"\r\nwhole"],
)
def test_a_worker_of_scgi_may_answer_in_http(
    server: CheckedHttpd, backend: ScriptedLoader, host: str, answer: bytes
) -> None:
    assert asked(server, backend, OK, answer, host=host).text == "whole"


def test_a_backend_of_http_may_not_answer_in_cgi(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    server.logs.expect("JS2040.*status line")
    assert asked(server, backend, b"Status: 200 OK\r\n\r\nbody").status == 502


def test_a_body_that_stops_before_its_length_is_cut(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    server.logs.expect("JS2046")
    assert cut(server, backend, OK + b"Content-Length: 9\r\n\r\nhalf", b"more") in (b"half", b"halfmore")


def test_a_body_without_its_last_chunk_is_cut(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    server.logs.expect("JS2046")
    assert cut(server, backend, OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", b"0\r\n") == b"half"


def test_a_malformed_chunk_cuts_the_body(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    server.logs.expect("JS2048")
    assert cut(server, backend, OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", b"0x4\r\nmore") == b"half"


def test_the_time_of_a_request_is_limited(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    server.logs.expect("JS2131")
    waiting = Background(lambda: server.get("/", "limited.example"))
    with backend.accept():
        assert waiting.result().status == 504


def test_a_client_that_leaves_ends_the_exchange(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with Wire(server.port) as wire:
        wire.head("GET / HTTP/1.1", host="http.example")
        exchange = backend.accept()
    with exchange:
        assert exchange.read(1) == b""


def test_an_error_is_replaced_by_a_page_of_the_administrator_s(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    answer = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nours\r\n0\r\n\r\n"
    assert "our-words" in asked(server, backend, answer, host="override.example").text


# -- kept connections


def answered(server: CheckedHttpd, exchange: Exchange, answer: bytes = OK + b"Content-Length: 2\r\n\r\nok") -> Answer:
    """The answer to a request that comes on the connection of an exchange before."""
    waiting = Background(lambda: server.get("/", "kept.example"))
    exchange.read_head()
    exchange.send(answer)
    return waiting.result()


def answered_anew(server: CheckedHttpd, backend: ScriptedLoader) -> Answer:
    """The answer to a request that comes on a connection of its own."""
    waiting = Background(lambda: server.get("/", "kept.example"))
    with backend.accept() as exchange:
        exchange.send(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok")
    return waiting.result()


def first_exchange(server: CheckedHttpd, backend: ScriptedLoader, answer: bytes, method: str = "GET") -> Exchange:
    """A connection that has served one request."""
    waiting = Background(lambda: server.request(method, "/", "kept.example", body=b"x" if method == "POST" else None))
    exchange = backend.accept()
    assert exchange.header("Connection") == "keep-alive"
    exchange.body()
    exchange.send(answer)
    assert waiting.result().status < 400
    return exchange


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 2\r\n\r\nok",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_takes_the_next_request(
    server: CheckedHttpd, backend: ScriptedLoader, method: str, answer: bytes
) -> None:
    with first_exchange(server, backend, answer, method) as exchange:
        assert answered(server, exchange).text == "ok"
        assert answered(server, exchange).text == "ok"


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"),
        ("HEAD", OK + b"Content-Length: 2\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ],
    ids=["close", "old", "not-modified", "head", "no-content"],
)
def test_a_connection_is_closed_when_it_may_not_be_kept(
    server: CheckedHttpd, backend: ScriptedLoader, method: str, answer: bytes
) -> None:
    with first_exchange(server, backend, answer, method) as exchange:
        assert answered_anew(server, backend).text == "ok"
        assert exchange.read(1) == b""


def test_a_request_with_a_body_gets_a_connection_of_its_own(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with first_exchange(server, backend, OK + b"Content-Length: 2\r\n\r\nok"):
        waiting = Background(lambda: server.post("/", b"body", "kept.example"))
        with backend.accept() as exchange:
            assert exchange.body() == b"body"
            exchange.send(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok")
        assert waiting.result().text == "ok"


def test_what_comes_without_a_request_is_no_answer(server: CheckedHttpd, backend: ScriptedLoader) -> None:
    with first_exchange(server, backend, OK + b"Content-Length: 2\r\n\r\nok") as exchange:
        exchange.send(OK + b"Content-Length: 4\r\n\r\nevil")
        assert answered_anew(server, backend).text == "ok"


def test_a_request_is_sent_again_when_the_backend_has_closed_meanwhile(
    server: CheckedHttpd, backend: ScriptedLoader
) -> None:
    with first_exchange(server, backend, OK + b"Content-Length: 2\r\n\r\nok") as exchange:
        waiting = Background(lambda: server.get("/", "kept.example"))
        exchange.read_head()
    with backend.accept() as other:
        other.send(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok")
    assert waiting.result().text == "ok"


def test_a_request_is_not_sent_again_when_a_byte_of_an_answer_has_come(
    server: CheckedHttpd, backend: ScriptedLoader
) -> None:
    server.logs.expect("JS2045")
    with first_exchange(server, backend, OK + b"Content-Length: 2\r\n\r\nok") as exchange:
        waiting = Background(lambda: server.get("/", "kept.example"))
        exchange.read_head()
        exchange.send(b"H")
    assert waiting.result().status == 502
    assert not backend.has_connection()
