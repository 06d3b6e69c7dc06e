"""Answers that come in parts, to clients that are slow, impatient or gone; and answers from files."""

from __future__ import annotations

import hashlib
import http.client
import time
import zlib

import pytest

from support.applications import AppFolder
from support.client import Wire
from support.descriptors import open_descriptors
from support.memory import PeakMemory
from support.paths import path
from support.serving import CheckedHttpd
from support.waiting import eventually

MEGABYTE = 1 << 20


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.module("filter", "deflate")
    httpd.site(document_root=probe.public)
    httpd.site("deflate.example", probe.public, "SetOutputFilter DEFLATE")
    httpd.site("one.example", probe.public, "PassengerAppGroupName one\nPassengerMaxInstances 1")
    httpd.start()
    return httpd


def open_stream(wire: Wire, target: str, *headers: str, host: str = "site.example") -> http.client.HTTPResponse:
    wire.head(f"GET {target} HTTP/1.1", *headers, host=host)
    return wire.open_answer()


@pytest.mark.parametrize("target", ["/stream?parts=4", "/stream-by-write?parts=4", "/stream?parts=4&length=28"])
def test_each_part_reaches_the_client_before_the_app_makes_the_next(
    server: CheckedHttpd, probe: AppFolder, target: str
) -> None:
    with Wire(server.port) as wire:
        response = open_stream(wire, target)
        for number in range(4):
            assert response.read1(100) == b"part %d\n" % number
            probe.open_gate(str(number + 1))
        assert response.read() == b""


def test_each_part_reaches_the_client_through_compression(server: CheckedHttpd, probe: AppFolder) -> None:
    inflate = zlib.decompressobj(wbits=31)
    with Wire(server.port) as wire:
        response = open_stream(wire, "/stream?parts=3", "Accept-Encoding: gzip", host="deflate.example")
        assert response.getheader("Content-Encoding") == "gzip"
        for number in range(3):
            received = b""
            while not received.endswith(b"\n"):
                received += inflate.decompress(response.read1(100))
            assert received == b"part %d\n" % number
            probe.open_gate(str(number + 1))


def test_the_head_reaches_the_client_before_the_first_part_ends(server: CheckedHttpd, probe: AppFolder) -> None:
    with Wire(server.port) as wire:
        assert open_stream(wire, "/waiting").status == 200
        probe.open_gate("waiting")


def test_parts_come_within_a_tenth_of_a_second(server: CheckedHttpd, probe: AppFolder) -> None:
    delays = []
    with Wire(server.port) as wire:
        response = open_stream(wire, "/stream?parts=10")
        response.read1(100)
        for number in range(1, 10):
            opened = time.monotonic()
            probe.open_gate(str(number))
            response.read1(100)
            delays.append(time.monotonic() - opened)
    assert min(delays) < 0.1, delays  # what is held back is held back each time; a busy machine is not


def test_a_big_answer_is_streamed_in_flat_memory(server: CheckedHttpd) -> None:
    server.get("/")
    memory = PeakMemory(server.processes())
    with Wire(server.port) as wire:
        response = open_stream(wire, path("/big", size=100 * MEGABYTE))
        length = sum(len(block) for block in iter(lambda: response.read(65536), b""))
    assert length == 100 * MEGABYTE
    assert memory.growth() < 12 * MEGABYTE


def test_a_slow_reader_of_a_big_answer_costs_little_memory(server: CheckedHttpd) -> None:
    server.get("/")
    memory = PeakMemory(server.processes())
    with Wire(server.port, receive_buffer=4096) as wire:
        response = open_stream(wire, path("/big", size=50 * MEGABYTE, length=1))
        assert len(response.read(MEGABYTE)) == MEGABYTE
        assert memory.growth() < 12 * MEGABYTE


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_an_endless_answer_ends_when_the_client_leaves(server: CheckedHttpd, probe: AppFolder, leave: str) -> None:
    server.logs.allow("JS|AH0")
    wire = Wire(server.port)
    open_stream(wire, "/endless").read(1000)
    getattr(wire, leave)()
    left = time.monotonic()
    assert len(probe.wait_for_event("closed").splitlines()) == 1
    assert time.monotonic() - left < 15


def test_an_app_that_waits_is_told_within_a_second_that_the_client_has_left(
    server: CheckedHttpd, probe: AppFolder
) -> None:
    """The app produces nothing meanwhile; its next part fails, and close() is called, though it never learns more."""
    server.logs.allow("JS|AH0")
    wire = Wire(server.port)
    open_stream(wire, "/waiting").read1(100)
    probe.wait_for_event("waiting")
    wire.close()
    probe.open_gate("waiting")
    assert len(probe.wait_for_event("closed").splitlines()) == 1


def test_a_client_that_leaves_while_the_app_waits_frees_httpds_side_within_a_second(
    server: CheckedHttpd, probe: AppFolder
) -> None:
    server.logs.allow("JS|AH0")
    wire = Wire(server.port)
    open_stream(wire, "/waiting").read1(100)
    before = sockets_of_httpds_children(server)
    wire.close()
    eventually(lambda: sockets_of_httpds_children(server) <= before - 2, "both connections to be closed", 15)
    probe.open_gate("waiting")


def sockets_of_httpds_children(server: CheckedHttpd) -> int:
    return sum(open_descriptors(child.pid)["socket"] for child in server.children("apache2"))


def test_the_next_request_is_served_after_a_client_has_left(server: CheckedHttpd, probe: AppFolder) -> None:
    server.logs.allow("JS|AH0")
    wire = Wire(server.port)
    open_stream(wire, "/endless", host="one.example").read(1000)
    wire.reset()
    assert server.get("/", "one.example").status == 200


def test_a_file_comes_through_the_file_wrapper(server: CheckedHttpd, probe: AppFolder) -> None:
    content = bytes(range(256)) * 40000
    probe.write("big.bin", content)
    assert server.get("/file").body == content


def test_a_file_comes_from_where_it_has_been_read_to(server: CheckedHttpd, probe: AppFolder) -> None:
    content = bytes(range(256)) * 4000
    probe.write("big.bin", content)
    assert server.get("/file?offset=1000").body == content[1000:]


def test_a_file_ends_at_the_announced_length(server: CheckedHttpd, probe: AppFolder) -> None:
    probe.write("big.bin", b"0123456789" * 1000)
    answer = server.get("/file?offset=5&length=10")
    assert (answer.header("Content-Length"), answer.text) == ("10", "5678901234")


def test_an_empty_file_is_an_empty_answer(server: CheckedHttpd, probe: AppFolder) -> None:
    probe.write("big.bin", b"")
    answer = server.get("/file")
    assert (answer.status, answer.body) == (200, b"")


def test_a_file_that_is_shorter_than_announced_is_seen_as_cut(server: CheckedHttpd, probe: AppFolder) -> None:
    server.logs.allow("JS")
    probe.write("big.bin", b"short")
    assert outcome(server, "/file?length=100") in ("cut", "500", "502")


def outcome(server: CheckedHttpd, target: str) -> str:
    try:
        return str(server.get(target).status)
    except http.client.IncompleteRead:
        return "cut"


def test_a_file_that_is_longer_than_announced_is_passed_on_up_to_the_length(
    server: CheckedHttpd, probe: AppFolder
) -> None:
    probe.write("big.bin", b"0123456789" * 10)
    assert server.get("/file?length=7").text == "0123456"


def test_head_of_a_file_has_no_body(server: CheckedHttpd, probe: AppFolder) -> None:
    probe.write("big.bin", b"0123456789")
    with server.client() as client:
        assert client.request("HEAD", "/file?length=10").header("Content-Length") == "10"
        assert client.get("/").status == 200


def test_a_file_in_memory_comes_through_the_file_wrapper(server: CheckedHttpd) -> None:
    assert server.get("/file?kind=memory").body == b"0123456789" * 1000


def test_a_pipe_comes_through_the_file_wrapper(server: CheckedHttpd) -> None:
    assert server.get("/file?kind=pipe").body == b"from a pipe"


def test_a_file_is_closed_exactly_once(server: CheckedHttpd, probe: AppFolder) -> None:
    probe.write("big.bin", b"0123456789" * 1000)
    assert len(server.get("/file?reporting=1").body) == 10000
    assert len(probe.wait_for_event("file-closed").splitlines()) == 1


def test_a_file_is_closed_when_the_client_has_left(server: CheckedHttpd, probe: AppFolder) -> None:
    server.logs.allow("JS|AH0")
    probe.write("big.bin", b"0123456789" * MEGABYTE)
    wire = Wire(server.port, receive_buffer=4096)
    open_stream(wire, "/file?reporting=1").read(10)
    wire.reset()
    assert len(probe.wait_for_event("file-closed").splitlines()) == 1


def test_a_big_file_is_sent_without_passing_through_the_app(server: CheckedHttpd, probe: AppFolder) -> None:
    block = bytes(range(256)) * 4096
    expected = hashlib.sha256()
    with open(probe.root / "big.bin", "wb") as stream:
        for _ in range(100):
            stream.write(block)
            expected.update(block)
    server.get("/")
    memory = PeakMemory(server.processes())
    found = hashlib.sha256()
    with Wire(server.port) as wire:
        response = open_stream(wire, "/file")
        for received in iter(lambda: response.read(MEGABYTE), b""):
            found.update(received)
    assert found.hexdigest() == expected.hexdigest()
    assert memory.growth() < 12 * MEGABYTE


def test_a_connection_is_kept_after_a_file(server: CheckedHttpd, probe: AppFolder) -> None:
    probe.write("big.bin", b"0123456789" * 1000)
    with server.client() as client:
        client.get("/file?length=10000")
        port = client.local_port
        client.get("/file")
        assert client.get("/").status == 200
        assert client.local_port == port
