"""What visitors of an app that did not start are answered."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Iterable

import pytest

from spawner import failure_page
from spawner.errors import StartFailure
from spawner.failure_answer import FailureAnswers
from spawner.loaders import wire

FAILURE = StartFailure("import", "no <b>", "Traceback & more", (("user", "a\"b'"),), "0123abcd")


def test_the_short_page_names_the_error_id_and_no_cause() -> None:
    page = failure_page.short_page(FAILURE)
    assert b"0123abcd" in page
    assert b"Traceback" not in page
    assert b"import" not in page


def test_the_friendly_page_escapes_everything() -> None:
    page = failure_page.friendly_page("/srv/<app>", FAILURE)
    for part in (b"no &lt;b&gt;", b"Traceback &amp; more", b"a&quot;b&#x27;", b"/srv/&lt;app&gt;", b"0123abcd"):
        assert part in page
    assert b"<b>" not in page


def test_undecodable_bytes_of_an_app_do_not_break_the_page() -> None:
    failure = StartFailure("import", "x\udcff", error_id="0123abcd")
    assert b"x?" in failure_page.friendly_page("/a", failure)


def test_dollar_signs_of_an_app_are_no_placeholders() -> None:
    assert b"$style ${x}" in failure_page.friendly_page("/a", StartFailure("s", "$style ${x}"))


@pytest.mark.parametrize(
    ("framed", "head_only", "rest"),
    [
        (False, False, b"page"),
        (True, False, b"\0\0\0\4page\0\0\0\0"),
        (False, True, b""),
        (True, True, b"\0\0\0\0"),
    ],
)
def test_the_response_is_framed_when_asked_for_and_bodiless_for_head(
    framed: bool, head_only: bool, rest: bytes
) -> None:
    head, _, body = failure_page.response(b"page", framed, head_only).partition(b"\r\n\r\n")
    assert body == rest
    lines = head.split(b"\r\n")
    assert lines[0] == b"Status: 500 Internal Server Error"
    assert b"Content-Length: 4" in lines
    assert b"Cache-Control: no-cache, no-store, must-revalidate" in lines


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
        answering = FailureAnswers(asyncio.get_running_loop(), timeout)
        assert answering.answer_waiting(listener, b"page") == len(sent)
        received = list(await asyncio.gather(*map(read_all, clients)))
        await asyncio.gather(*sending)
        await answering.finish(1.0)
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


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"3:abc,", b"99999999:", b"12"])
def test_what_is_no_request_is_closed(tmp_path: Path, data: bytes) -> None:
    nothing, good = answers(tmp_path, [data, message()], timeout=0.3)
    assert nothing == b""
    assert good.endswith(b"page")
