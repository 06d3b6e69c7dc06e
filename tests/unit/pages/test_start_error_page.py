"""What visitors of an app that did not start are answered."""

from __future__ import annotations

import asyncio
import json
import socket
from html.parser import HTMLParser
from pathlib import Path
from typing import Iterable

import pytest

from spawner.options import AppOptions
from spawner.pages import start_error_page
from spawner.pages.error_responder import ErrorResponder
from spawner.pages.request_head import RequestHeadDecoder
from spawner.pages.start_error_page import ErrorResponse, response_bytes
from spawner.pool.registration import Registration
from spawner.shared import wire
from spawner.shared.exception_serializer import Frame, SerializedException
from spawner.start_failure import FailureDetails, StartFailure

OPTIONS = AppOptions(start_timeout=77)
REGISTRATION = Registration("k", "/srv/<app>", "wsgi", "passenger_wsgi.py", "/srv/<app>/public", "", "", "", OPTIONS, 1)
RAISED = SerializedException(
    "NameError: <x>", "", (Frame("/srv/<app>/a.py", 7, "<module>", True, 6, ("# <before>", "x & y")),), left_out=0
)
FAILURE = StartFailure(
    "import the app",
    "no <b>",
    "Traceback & more",
    (("user", "a\"b'"), ("search path", "/one\n/two")),
    "0123abcd",
    FailureDetails((RAISED,), "Traceback & more", (("HOME", "/home/<x>"),), "last <words>"),
)


def friendly(failure: StartFailure = FAILURE) -> str:
    return start_error_page.friendly_response(REGISTRATION, failure, 5).html.decode()


def test_the_short_page_names_the_error_id_and_no_cause() -> None:
    page = start_error_page.short_response(FAILURE, 5).html
    assert b"0123abcd" in page
    for cause in (b"Traceback", b"import", b"NameError", b"/srv"):
        assert cause not in page


def test_the_friendly_page_escapes_everything() -> None:
    page = friendly()
    for part in (
        "no &lt;b&gt;",
        "Traceback &amp; more",
        "a&quot;b&#x27;",
        "/srv/&lt;app&gt;/a.py",
        "0123abcd",
        "NameError: &lt;x&gt;",
        "last &lt;words&gt;",
        "/home/&lt;x&gt;",
        "# &lt;before&gt;",
        "<mark>    7  x &amp; y</mark>",
        "/one\n/two",
        "PassengerStartTimeout",
        "after 5 seconds",
    ):
        assert part in page, part
    for raw in ("<b>", "<app>", "<x>", "<words>", "<before>"):
        assert raw not in page


@pytest.mark.parametrize("page", [start_error_page.short_response(FAILURE, 1).html.decode(), friendly()])
def test_a_page_is_whole_html_and_asks_for_nothing_from_elsewhere(page: str) -> None:
    check = WellFormed()
    check.feed(page)
    check.close()
    assert check.open == []
    assert check.seen >= {"html", "head", "title", "main", "h1"}
    assert not check.seen & {"script", "link", "img", "iframe"}
    assert "lang" in check.attributes
    assert not check.attributes & {"src", "href"}
    assert "url(" not in page
    assert "@import" not in page


class WellFormed(HTMLParser):
    """Notes what is open; every element but the empty ones has to be closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_undecodable_bytes_of_an_app_do_not_break_the_page() -> None:
    assert "x?" in friendly(StartFailure("import the app", "x\udcff"))


def test_control_characters_of_an_app_become_visible() -> None:
    assert "\u241b[31mred\u2400" in friendly(StartFailure("import the app", "\x1b[31mred\0"))


ANSWER = ErrorResponse("1f2e3d4c", b"page", b'{"error": {}}\n', 7)


@pytest.mark.parametrize(
    ("request_head", "rest"),
    [
        ({}, b"page"),
        ({b"JUMPSEAT_FRAMED": b"1"}, b"\0\0\0\4page\0\0\0\0"),
        ({b"REQUEST_METHOD": b"HEAD"}, b""),
        ({b"JUMPSEAT_FRAMED": b"1", b"REQUEST_METHOD": b"HEAD"}, b"\0\0\0\0"),
    ],
)
def test_the_response_is_framed_when_asked_for_and_bodiless_for_head(
    request_head: dict[bytes, bytes], rest: bytes
) -> None:
    head, _, body = response_bytes(ANSWER, request_head).partition(b"\r\n\r\n")
    assert body == rest
    lines = head.split(b"\r\n")
    assert lines[0] == b"Status: 500 Internal Server Error"
    for header in (
        b"Content-Length: 4",
        b"Cache-Control: no-store",
        b"Retry-After: 7",
        b"Content-Type: text/html; charset=utf-8",
    ):
        assert header in lines


def test_a_peer_that_knows_frames_or_speaks_http_is_told_the_id_apart_from_the_headers() -> None:
    assert response_bytes(ANSWER, {b"JUMPSEAT_FRAMED": b"1"}).split(b"\r\n")[1] == b"Error id: 1f2e3d4c"
    request = RequestHeadDecoder().feed(b"GET / HTTP/1.1\r\nHost: site\r\n\r\n")
    assert request is not None
    lines = response_bytes(ANSWER, request).split(b"\r\n")
    assert lines[:3] == [b"HTTP/1.1 500 Internal Server Error", b"Error id: 1f2e3d4c", b"Connection: close"]
    assert b"1f2e3d4c" not in response_bytes(ANSWER, {})


@pytest.mark.parametrize(
    ("accept", "content_type", "as_json"),
    [
        (b"application/json", b"", True),
        (b"application/json, text/html", b"", True),
        (b"text/html;q=0.5, application/json;q=0.6", b"", True),
        (b"text/html, application/json;q=0.9", b"", False),
        (b"application/*, text/html;q=0.2", b"", True),
        (b"*/*", b"application/json", True),
        (b"*/*;q=0.1, APPLICATION/JSON ; Q=0.2", b"", True),
        (b"application/json;q=0, */*", b"", False),
        (b"application/json;q=high", b"", True),
        (b"text/html", b"application/json", False),
        (None, b"application/json; charset=utf-8", True),
        (b" ", b"application/json", True),
        (None, b"text/plain", False),
        (None, None, False),
        (b",;q=,\xff", b"", False),
    ],
)
def test_who_asks_for_json_gets_json(accept: bytes | None, content_type: bytes | None, as_json: bool) -> None:
    given = {b"HTTP_ACCEPT": accept, b"CONTENT_TYPE": content_type}
    answer = response_bytes(ANSWER, {name: value for name, value in given.items() if value is not None})
    assert (b"\r\nContent-Type: application/json\r\n" in answer, answer.endswith(b"{}}\n")) == (as_json, as_json)


def test_the_json_names_status_title_id_and_the_next_try_and_no_cause() -> None:
    assert json.loads(start_error_page.short_response(FAILURE, 7).json) == {
        "error": {
            "status": 500,
            "title": "This application could not be started",
            "id": "0123abcd",
            "retry_after": 7,
        }
    }


def test_the_json_of_friendly_pages_has_the_cause_too() -> None:
    error = json.loads(start_error_page.friendly_response(REGISTRATION, FAILURE, 7).json)["error"]
    assert (error["step"], error["summary"], error["traceback"]) == ("import the app", "no <b>", ["Traceback & more"])


def message(pairs: Iterable[tuple[str, str]] = (), body: bytes = b"") -> bytes:
    return wire.encode_text([("CONTENT_LENGTH", str(len(body))), ("SCGI", "1"), *pairs]) + body


def answers(folder: Path, sent: list[bytes], timeout: float = 10.0) -> list[bytes]:
    """What each connection reads; all of them were waiting before the first is answered."""

    async def main() -> list[bytes]:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "s"))
        listener.listen()
        listener.setblocking(False)
        clients = [socket.socket(socket.AF_UNIX) for _ in sent]
        for client in clients:
            client.connect(str(folder / "s"))
            client.setblocking(False)
        loop = asyncio.get_running_loop()
        sending = [loop.create_task(loop.sock_sendall(client, data)) for client, data in zip(clients, sent)]
        answering = ErrorResponder(asyncio.get_running_loop(), timeout)
        counts: list[int] = []
        answering.answer_waiting(listener, ANSWER, counts.append)
        received = list(await asyncio.gather(*map(read_all, clients)))
        await asyncio.gather(*sending)
        await answering.finish(1.0)
        assert counts == [len(sent)]
        for sock in [listener, *clients]:
            sock.close()
        return received

    return asyncio.run(main())


async def read_all(client: socket.socket) -> bytes:
    data = b""
    while True:
        part = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 4096), 10)
        if not part:
            return data
        data += part


def test_everybody_who_waits_is_answered_as_they_asked(tmp_path: Path) -> None:
    plain, framed, head = answers(
        tmp_path,
        [message(), message([("JUMPSEAT_FRAMED", "1")]), message([("REQUEST_METHOD", "HEAD")])],
    )
    assert plain.endswith(b"\r\n\r\npage")
    assert framed.endswith(b"\r\n\r\n\0\0\0\4page\0\0\0\0")
    assert head.endswith(b"\r\n\r\n")


def test_an_answer_comes_before_the_body_was_sent(tmp_path: Path) -> None:
    (early,) = answers(tmp_path, [message([("JUMPSEAT_BODY", "inline")], b"x" * 100)[:-100]])
    assert early.endswith(b"page")


def test_a_large_body_is_read_away_so_that_the_answer_arrives(tmp_path: Path) -> None:
    whole, other = answers(tmp_path, [message(body=b"x" * 4_000_000), message()])
    assert whole.endswith(b"page")
    assert other.endswith(b"page")


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\0", b"3:abc,", b"99999999:", b"12"])
def test_what_is_no_request_is_closed(tmp_path: Path, data: bytes) -> None:
    nothing, good = answers(tmp_path, [data, message()], timeout=1.0)
    assert nothing == b""
    assert good.endswith(b"page")


def test_a_request_of_http_is_answered_in_http(tmp_path: Path) -> None:
    (answer,) = answers(tmp_path, [b"POST / HTTP/1.1\r\nHost: site\r\nContent-Length: 1\r\n\r\nx"])
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\nError id: ")
    assert answer.endswith(b"page")
