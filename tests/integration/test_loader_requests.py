"""What the module asks of a loader, byte by byte: only what the loader says it can do (docs/protocol.md)."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterator, Optional

import pytest

from support.applications import AppFolder
from support.background import Background
from support.client import Answer, Wire
from support.scripted_loader import TOKEN, ScriptedLoader, is_readable
from support.serving import CheckedHttpd
from support.waiting import eventually, remains_true

EVERYTHING = "frames framed-body body-file acknowledge expect token cancel"
#: More than what the module keeps in memory, so that it goes through a file.
SPOOLED = bytes(range(256)) * 8192
ROUTE = "0123456789abcdef"


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    shared_httpd.site(document_root=shared_probe.public)
    for name, directives in (
        ("streaming.example", "PassengerBufferUpload off"),
        ("limited.example", "PassengerMaxRequestTime 1"),
        ("queued.example", "PassengerMaxRequestQueueTime 1"),
        ("sticky.example", "PassengerStickySessions on"),
    ):
        shared_httpd.site(name, shared_probe.public, f"{directives}\nPassengerAppGroupName {name}")
    shared_httpd.start()
    return shared_httpd


@pytest.fixture(scope="module")
def only_loader(server: CheckedHttpd) -> Iterator[ScriptedLoader]:
    loader = ScriptedLoader(server)
    yield loader
    loader.close()


Make = Callable[[Optional[str]], ScriptedLoader]


@pytest.fixture
def make_loader(only_loader: ScriptedLoader) -> Make:
    """Have a loader with these capabilities (None: without the word for them) take over all groups."""

    def make(capabilities: str | None) -> ScriptedLoader:
        only_loader.move(capabilities)
        return only_loader

    return make


def get(server: CheckedHttpd, host: str = "site.example", **headers: str) -> Background[Answer]:
    return Background(lambda: server.get("/", host, **headers))


def post(server: CheckedHttpd, body: bytes, host: str = "site.example") -> Background[Answer]:
    return Background(lambda: server.post("/", body, host))


def make_known(server: CheckedHttpd, loader: ScriptedLoader, host: str) -> None:
    """Have httpd ask for the group anew: it does when it cannot connect to the old socket."""
    answer = get(server, host)
    loader.accept().answer()
    assert answer.result().status == 200


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (None, {}),
        ("", {}),
        ("cancel teleport", {}),
        ("token", {"JUMPSEAT_TOKEN": TOKEN}),
        ("frames", {"JUMPSEAT_FRAMED": "1"}),
        ("body-file", {"JUMPSEAT_BODY": "none"}),
        ("framed-body", {"JUMPSEAT_BODY": "none"}),
        ("acknowledge", {}),
        ("expect", {}),
        (EVERYTHING, {"JUMPSEAT_TOKEN": TOKEN, "JUMPSEAT_FRAMED": "1", "JUMPSEAT_BODY": "none"}),
    ],
)
def test_a_request_has_the_names_that_the_loader_knows(
    server: CheckedHttpd, make_loader: Make, capabilities: str | None, expected: dict[str, str]
) -> None:
    loader = make_loader(capabilities)
    answer = get(server)
    with loader.accept() as exchange:
        assert exchange.extensions() == expected
        assert (exchange.head["CONTENT_LENGTH"], exchange.head["SCGI"]) == ("0", "1")
        exchange.answer(b"\0\0\0\0" if "JUMPSEAT_FRAMED" in expected else b"")
    assert answer.result().status == 200


@pytest.mark.parametrize("host", ["limited.example", "queued.example", "sticky.example"])
@pytest.mark.parametrize("capabilities", ["", "acknowledge"])
def test_an_acknowledgement_is_asked_of_a_loader_that_can_give_it(
    server: CheckedHttpd, make_loader: Make, capabilities: str, host: str
) -> None:
    loader = make_loader(capabilities)
    answer = get(server, host)
    with loader.accept() as exchange:
        names = set(exchange.extensions())
        exchange.answer()
    limit = {"limited.example": {"JUMPSEAT_TIME_LIMIT"}, "queued.example": {"JUMPSEAT_START_BEFORE"}}.get(host, set())
    assert names == ({"JUMPSEAT_ACKNOWLEDGE", *limit} if capabilities else set())
    assert answer.result().status == 200


@pytest.mark.parametrize("capabilities", ["", "framed-body", "acknowledge"])
def test_a_spooled_body_is_sent_inline_to_a_loader_that_takes_no_descriptor(
    server: CheckedHttpd, make_loader: Make, capabilities: str
) -> None:
    loader = make_loader(capabilities)
    answer = post(server, SPOOLED)
    with loader.accept() as exchange:
        assert exchange.head.get("JUMPSEAT_BODY") == ("inline" if capabilities == "framed-body" else None)
        assert hashlib.sha256(exchange.body()).digest() == hashlib.sha256(SPOOLED).digest()
        assert (exchange.descriptors, exchange.rest) == ([], b"")
        exchange.answer(b"whole")
    assert answer.result().text == "whole"


def test_a_spooled_body_is_a_descriptor_for_a_loader_that_takes_one(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("body-file")
    answer = post(server, SPOOLED)
    with loader.accept() as exchange:
        assert exchange.head["JUMPSEAT_BODY"] == "file"
        assert os.pread(exchange.descriptors[0], len(SPOOLED) + 1, 0) == SPOOLED
        exchange.answer()
    assert answer.result().status == 200


def test_an_answer_before_a_spooled_body_is_read_reaches_the_client(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("")
    answer = post(server, SPOOLED)
    with loader.accept() as exchange:
        exchange.answer(b"not wanted", head="Status: 413 Too Much")
    assert (answer.result().status, answer.result().text) == (413, "not wanted")


def test_a_spooled_body_that_is_sent_again_begins_at_its_beginning(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("acknowledge")
    server.logs.allow("JS2133")
    answer = post(server, SPOOLED, "queued.example")
    with loader.accept() as exchange:
        assert exchange.read(100000) == SPOOLED[:100000]
    with loader.accept() as exchange:
        assert exchange.body() == SPOOLED
        exchange.answer(b"whole")
    assert answer.result().text == "whole"


def spooled_files(server: CheckedHttpd) -> list[Path]:
    """The open files of the buffer folder, by the descriptors of the processes that have them."""
    found = []
    for process in server.processes():
        with suppress(FileNotFoundError):  # it has ended, or closed one
            for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
                if os.readlink(descriptor).startswith(str(server.folder / "buffer")):
                    found.append(descriptor)
    return found


def test_a_spooled_body_that_cannot_be_read_to_its_end_is_a_500(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("")
    server.logs.expect("JS2105")
    answer = post(server, SPOOLED)
    with loader.accept() as exchange:
        eventually(lambda: len(spooled_files(server)) == 1, "the file of this request alone")
        os.truncate(spooled_files(server)[0], 0)
        assert len(exchange.body()) < len(SPOOLED)
    assert answer.result().status == 500


def test_a_worker_learns_that_the_client_of_a_spooled_body_has_left(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("")
    with Wire(server.port) as wire:
        wire.head("POST / HTTP/1.1", f"Content-Length: {len(SPOOLED)}")
        wire.send(SPOOLED)
        exchange = loader.accept()
    with exchange:
        eventually(exchange.has_ended, "the end of the connection")
        assert len(exchange.body()) < len(SPOOLED)


def test_a_body_of_unknown_length_is_read_whole_for_a_loader_that_takes_no_frames(
    server: CheckedHttpd, make_loader: Make
) -> None:
    loader = make_loader("")
    with Wire(server.port) as wire:
        wire.head("POST / HTTP/1.1", "Transfer-Encoding: chunked", host="streaming.example")
        wire.send(b"5\r\n12345\r\n")
        remains_true(lambda: not loader.has_connection(), "no worker has the request", 0.3)
        wire.send(b"3\r\n678\r\n0\r\n\r\n")
        with loader.accept() as exchange:
            assert (exchange.extensions(), exchange.head["CONTENT_LENGTH"]) == ({}, "8")
            exchange.answer(exchange.body())
        assert wire.answer("POST").text == "12345678"


def test_a_body_of_unknown_length_is_streamed_to_a_loader_that_takes_frames(
    server: CheckedHttpd, make_loader: Make
) -> None:
    loader = make_loader("framed-body")
    make_known(server, loader, "streaming.example")
    with Wire(server.port) as wire:
        wire.head("POST / HTTP/1.1", "Transfer-Encoding: chunked", host="streaming.example")
        with loader.accept() as exchange:
            assert exchange.extensions() == {"JUMPSEAT_BODY": "framed"}
            wire.send(b"5\r\n12345\r\n")
            assert exchange.read(9) == b"\0\0\0\00512345"
            wire.send(b"0\r\n\r\n")
            assert exchange.read(4) == b"\0\0\0\0"
            exchange.answer()
        assert wire.answer("POST").status == 200


def test_a_malformed_chunk_reaches_no_worker_that_takes_no_frames(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("")
    server.logs.allow("AH0|JS2020")
    with Wire(server.port) as wire:
        wire.head("POST / HTTP/1.1", "Transfer-Encoding: chunked", host="streaming.example")
        wire.send(b"5\r\n12345\r\nXYZ\r\n")
        assert wire.answer("POST").status == 400
    assert not loader.has_connection()


def waited_for_100(server: CheckedHttpd, loader: ScriptedLoader) -> float:
    """Seconds until a client got its 100 while its worker did nothing."""
    with Wire(server.port) as wire:
        begun = time.monotonic()
        wire.head("POST / HTTP/1.1", "Content-Length: 5", "Expect: 100-continue", host="streaming.example")
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        waited = time.monotonic() - begun
        with loader.accept() as exchange:
            wire.send(b"12345")
            exchange.answer(exchange.body())
        assert wire.answer("POST").text == "12345"
    return waited


def test_100_comes_at_once_if_the_loader_does_not_say_when(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("")
    assert min(waited_for_100(server, loader) for _ in range(3)) < 0.9  # by itself, the module would wait for a second


def test_an_expectation_is_told_to_a_loader_that_says_when(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("expect")
    with Wire(server.port) as wire:
        wire.head("POST / HTTP/1.1", "Content-Length: 5", "Expect: 100-continue", host="streaming.example")
        with loader.accept() as exchange:
            assert exchange.extensions() == {"JUMPSEAT_EXPECT": "100-continue"}
            exchange.answer(head="Status: 403 Not Here")
        assert wire.read_until(b"\r\n").startswith(b"HTTP/1.1 403 ")


FRAME_LIKE = b"\xff\xff\xff\xff" + bytes(16) + b"\0\0\0\0\x80more"


@pytest.mark.parametrize("head", ["Status: 200 OK", f"Status: 200 OK\nContent-Length: {len(FRAME_LIKE)}"])
def test_a_raw_answer_ends_with_the_connection(server: CheckedHttpd, make_loader: Make, head: str) -> None:
    loader = make_loader("")
    answer = get(server)
    loader.accept().answer(FRAME_LIKE, head=head)
    assert answer.result().body == FRAME_LIKE


def test_a_raw_answer_is_passed_on_as_it_comes(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("")
    with Wire(server.port) as wire:
        wire.head("GET / HTTP/1.1")
        with loader.accept() as exchange:
            exchange.connection.sendall(b"Status: 200 OK\r\n\r\nfirst")
            answer = wire.open_answer()
            assert answer.read1() == b"first"
            exchange.connection.sendall(b"second")
        assert answer.read() == b"second"


def test_a_raw_answer_that_is_too_short_is_cut(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("")
    server.logs.expect("JS2042")
    with Wire(server.port) as wire:
        wire.head("GET / HTTP/1.1")
        with loader.accept() as exchange:
            exchange.connection.sendall(b"Status: 200 OK\r\nContent-Length: 9\r\n\r\n12345")
            answer = wire.open_answer()
            assert answer.read1() == b"12345"
        with pytest.raises(http.client.IncompleteRead):
            answer.read()


def test_a_raw_answer_that_is_too_long_is_a_502(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader("")
    server.logs.expect("JS2041")
    answer = get(server)
    loader.accept().answer(b"123456", head="Status: 200 OK\nContent-Length: 5")
    assert answer.result().status == 502


def test_a_worker_that_ends_at_once_is_a_502_and_no_other_gets_the_request(
    server: CheckedHttpd, make_loader: Make
) -> None:
    loader = make_loader("")
    server.logs.expect("JS2045")
    answer = get(server, "limited.example")
    loader.accept().close()
    assert answer.result().status == 502
    assert not loader.has_connection()


def test_without_acknowledgements_a_request_may_wait_longer_than_the_queue_time(
    server: CheckedHttpd, make_loader: Make
) -> None:
    loader = make_loader("")
    answer = get(server, "queued.example")
    remains_true(lambda: not answer.done, "the client waits", 1.5)
    loader.accept().answer(b"late")
    assert answer.result().text == "late"


def test_without_acknowledgements_the_request_time_includes_the_waiting(
    server: CheckedHttpd, make_loader: Make
) -> None:
    make_loader("")
    server.logs.expect("JS2131")
    begun = time.monotonic()
    assert server.get("/", "limited.example").status == 504
    assert time.monotonic() - begun >= 1.0
    assert "with the time in the queue" in server.logs.wait_for("JS2131", "limited.example.log")


@pytest.mark.parametrize("capabilities", ["", "acknowledge"])
def test_a_cookie_leads_to_a_worker_of_a_loader_that_tells_routes(
    server: CheckedHttpd, make_loader: Make, capabilities: str
) -> None:
    loader = make_loader(capabilities)
    make_known(server, loader, "sticky.example")
    with loader.listen_as_worker(ROUTE) as own:
        answer = get(server, "sticky.example", cookie=f"_passenger_route={ROUTE}")
        if capabilities:
            own.accept()[0].close()  # the request goes to the group then
        loader.accept().answer(b"from the group")
        assert answer.result().text == "from the group"
        assert not is_readable(own)


def test_another_loader_of_a_group_is_asked_for_what_that_one_can_do(server: CheckedHttpd, make_loader: Make) -> None:
    loader = make_loader(EVERYTHING)
    answer = get(server, "streaming.example")
    with loader.accept() as exchange:
        assert exchange.head["JUMPSEAT_TOKEN"] == TOKEN
        exchange.answer(b"\0\0\0\1a\0\0\0\0")
    assert answer.result().text == "a"
    loader.move("")
    with server.client("streaming.example") as client:
        chunked = Background(lambda: client.request("POST", "/", iter([b"12345", b"678"])))
        with loader.accept() as exchange:
            assert (exchange.extensions(), exchange.body()) == ({}, b"12345678")
            exchange.answer(b"raw")
        assert chunked.result().text == "raw"
