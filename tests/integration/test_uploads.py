"""Uploads that take their time: half-sent, streamed, answered early, echoed while they come, very big."""

from __future__ import annotations

import hashlib
import socket
import threading
from typing import Iterator

import pytest

from support.applications import AppFolder
from support.client import Wire
from support.memory import PeakMemory
from support.paths import path
from support.serving import CheckedHttpd
from support.waiting import eventually

MEGABYTE = 1 << 20
BLOCK = bytes(range(256)) * 256


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    """One worker only, so that whatever blocks it blocks everything."""
    httpd.site(document_root=probe.public, body="PassengerMaxInstances 1")
    httpd.site(
        "streaming.example",
        probe.public,
        "PassengerBufferUpload off\nPassengerAppGroupName streaming\nPassengerMaxInstances 1",
    )
    httpd.start()
    return httpd


def test_a_half_sent_upload_does_not_block_another_request(server: CheckedHttpd) -> None:
    with Wire(server.port) as half:
        half.head("POST /echo HTTP/1.1", "Content-Length: 8")
        half.send(b"half")
        assert server.get("/").text == "the probe's front page"
        half.send(b"more")
        assert half.answer("POST").text == "halfmore"


def test_five_half_sent_uploads_do_not_block_another_request(server: CheckedHttpd) -> None:
    wires = [Wire(server.port) for _ in range(5)]
    for wire in wires:
        wire.head("POST /echo HTTP/1.1", "Content-Length: 8")
        wire.send(b"half")
    assert server.get("/").text == "the probe's front page"
    for wire in wires:
        wire.send(b"more")
    assert [wire.answer("POST").text for wire in wires] == ["halfmore"] * 5
    for wire in wires:
        wire.close()


def test_a_streamed_upload_reaches_the_app_piece_by_piece(server: CheckedHttpd, probe: AppFolder) -> None:
    with Wire(server.port) as wire:
        wire.head(f"POST {path('/upload', size=5)} HTTP/1.1", "Content-Length: 10", host="streaming.example")
        probe.wait_for_event("upload-started")
        wire.send(b"12345")
        eventually(lambda: probe.wait_for_event("upload-read") == "5\n", "the first five bytes")
        wire.send(b"67890")
        assert wire.answer("POST").text == "10"


def test_a_streamed_chunked_upload_reaches_the_app_piece_by_piece(server: CheckedHttpd, probe: AppFolder) -> None:
    with Wire(server.port) as wire:
        wire.head(f"POST {path('/upload', size=5)} HTTP/1.1", "Transfer-Encoding: chunked", host="streaming.example")
        probe.wait_for_event("upload-started")
        wire.send(b"5\r\n12345\r\n")
        eventually(lambda: probe.wait_for_event("upload-read") == "5\n", "the first five bytes")
        wire.send(b"5\r\n67890\r\n0\r\n\r\n")
        assert wire.answer("POST").text == "10"


@pytest.mark.parametrize("head", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_streamed_upload_that_is_cut_raises_in_the_app(server: CheckedHttpd, probe: AppFolder, head: str) -> None:
    server.logs.allow("AH0|JS")
    with Wire(server.port) as wire:
        wire.head(f"POST {path('/upload', size=5)} HTTP/1.1", head, host="streaming.example")
        wire.send(b"12345" if "Length" in head else b"5\r\n12345\r\n")
        probe.wait_for_event("upload-read")
    probe.wait_for_event("upload-failed")
    assert "upload-ended" not in probe.event_names()


def test_a_buffered_upload_reaches_the_app_only_when_it_is_whole(server: CheckedHttpd, probe: AppFolder) -> None:
    with Wire(server.port) as wire:
        wire.head(f"POST {path('/upload', size=5)} HTTP/1.1", "Content-Length: 10")
        wire.send(b"12345")
        server.get("/")
        assert "upload-started" not in probe.event_names()
        wire.send(b"67890")
        assert wire.answer("POST").text == "10"


@pytest.mark.parametrize("status", ["413 Too Much", "401 Who Are You"])
def test_an_early_refusal_reaches_a_client_that_is_still_sending(server: CheckedHttpd, status: str) -> None:
    server.logs.allow("AH0|JS")
    with Wire(server.port) as wire:
        wire.head(
            f"POST {path('/unread', status=status)} HTTP/1.1",
            f"Content-Length: {64 * MEGABYTE}",
            host="streaming.example",
        )
        sender = threading.Thread(target=send_until_refused, args=(wire.socket, 64 * MEGABYTE))
        sender.start()
        answer = wire.answer("POST")
        sender.join()
    assert (f"{answer.status} {answer.reason}", answer.text) == (status, "not wanted")


def send_until_refused(connection: socket.socket, size: int) -> None:
    """Send as an upload does that looks at the answer only at its end."""
    try:
        for _ in range(size // len(BLOCK)):
            connection.sendall(BLOCK)
    except OSError:
        pass


def test_an_early_refusal_frees_the_worker_at_once(server: CheckedHttpd) -> None:
    server.logs.allow("AH0|JS")
    with Wire(server.port) as wire:
        wire.head(f"POST {path('/unread')} HTTP/1.1", f"Content-Length: {MEGABYTE}", host="streaming.example")
        assert wire.answer("POST").status == 413
        assert server.get("/", "streaming.example").status == 200


def test_what_follows_an_early_refusal_is_never_taken_from_the_body(server: CheckedHttpd) -> None:
    server.logs.allow("AH0|JS")
    smuggled = b"GET /method?smuggled HTTP/1.1\r\nHost: streaming.example\r\n\r\n"
    with Wire(server.port) as wire:
        wire.head(f"POST {path('/unread')} HTTP/1.1", f"Content-Length: {len(smuggled)}", host="streaming.example")
        assert wire.answer("POST").status == 413
        send_until_refused(wire.socket, 0)
        try:
            wire.send(smuggled)
            wire.head("GET /pid HTTP/1.1", "Connection: close", host="streaming.example")
            received = wire.read_to_end()
        except OSError:
            received = b""
    assert b"\r\n\r\nGET" not in received


def test_an_app_echoes_while_the_upload_still_comes(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head(f"POST {path('/duplex', size=6)} HTTP/1.1", "Content-Length: 18", host="streaming.example")
        wire.send(b"first ")
        response = wire.open_answer("POST")
        received = [response.read(6)]
        for word in (b"second", b"third."):
            wire.send(word)
            received.append(response.read(6))
    assert received == [b"first ", b"second", b"third."]


def test_a_big_echo_neither_blocks_nor_loses_a_byte(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head("POST /duplex HTTP/1.1", f"Content-Length: {32 * MEGABYTE}", host="streaming.example")
        sender = threading.Thread(target=send_until_refused, args=(wire.socket, 32 * MEGABYTE))
        sender.start()
        response = wire.open_answer("POST")
        length = sum(len(block) for block in iter(lambda: response.read(65536), b""))
        sender.join()
    assert length == 32 * MEGABYTE


def blocks(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes * MEGABYTE // len(BLOCK)):
        yield BLOCK


@pytest.mark.parametrize("host", ["site.example", "streaming.example"])
@pytest.mark.parametrize("form", ["with a length", "chunked"])
def test_a_hundred_megabytes_are_uploaded_in_flat_memory(server: CheckedHttpd, host: str, form: str) -> None:
    server.get("/", host)
    memory = PeakMemory(server.processes())
    expected = hashlib.sha256()
    with Wire(server.port, timeout=60) as wire:
        length = f"Content-Length: {100 * MEGABYTE}" if form == "with a length" else "Transfer-Encoding: chunked"
        wire.head("POST /digest HTTP/1.1", length, host=host)
        for block in blocks(100):
            expected.update(block)
            wire.send(block if form == "with a length" else b"%x\r\n%b\r\n" % (len(block), block))
        wire.send(b"" if form == "with a length" else b"0\r\n\r\n")
        told = wire.answer("POST").json()
    assert (told["length"], told["sha256"]) == (100 * MEGABYTE, expected.hexdigest())
    assert memory.growth() < 12 * MEGABYTE


def test_a_slow_upload_ends_with_408_when_httpd_loses_patience(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.module("reqtimeout")
    httpd.add("RequestReadTimeout body=1")
    httpd.site(document_root=probe.public)
    httpd.logs.allow("AH0|JS")
    httpd.start()
    with Wire(httpd.port) as wire:
        wire.head("POST /echo HTTP/1.1", "Content-Length: 100")
        wire.send(b"x")
        assert wire.answer("POST").status == 408


def test_a_full_buffer_folder_is_a_clean_error(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public)
    httpd.start()
    assert httpd.get("/").status == 200
    (httpd.folder / "buffer").rmdir()
    httpd.logs.expect("JS|passenger")
    answer = httpd.post("/digest", BLOCK * 32)
    (httpd.folder / "buffer").mkdir()
    assert answer.status in (500, 503, 507)
    assert httpd.get("/").status == 200
