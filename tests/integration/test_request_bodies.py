"""Request bodies: read in every way, with a length, chunked, empty, not at all."""

from __future__ import annotations

import hashlib
import http.client
import json
from contextlib import suppress

import pytest

from support.applications import AppFolder
from support.client import Wire
from support.paths import path
from support.serving import CheckedHttpd
from support.waiting import eventually, remains_true

LINES = b"one\ntwo\n\nno end"
WAYS = {
    "read": [LINES],
    "read-minus-one": [LINES],
    "read-too-much": [LINES],
    "blocks": [LINES[:7], LINES[7:14], LINES[14:]],
    "readline": [b"one\n", b"two\n", b"\n", b"no end"],
    "readline-size": [b"one\n", b"two\n", b"\n", b"no e", b"nd"],
    "readlines": [b"one\n", b"two\n", b"\n", b"no end"],
    "readlines-hint": [b"one\n", b"two\n", b"\n", b"no end"],
    "iterate": [b"one\n", b"two\n", b"\n", b"no end"],
}
#: More than what the module keeps in memory, so that it goes through a file.
SPOOLED = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    shared_httpd.site(
        document_root=shared_probe.public,
        body="PassengerMinInstances 2\n<Location /limited>\nLimitRequestBody 1000\n</Location>",
    )
    shared_httpd.site("streaming.example", shared_probe.public, "PassengerMinInstances 2\nPassengerBufferUpload off")
    shared_httpd.start()
    return shared_httpd


HOSTS = pytest.mark.parametrize("host", ["site.example", "streaming.example"])


@HOSTS
@pytest.mark.parametrize("how", WAYS)
def test_a_body_reads_as_a_file_does_and_ends(server: CheckedHttpd, host: str, how: str) -> None:
    told = server.post(path("/read", how=how), LINES, host).json()
    assert "".join(told["parts"]) == LINES.decode()
    if how != "blocks" or host == "site.example":
        assert [part.encode() for part in told["parts"]] == WAYS[how]


@HOSTS
@pytest.mark.parametrize("how", WAYS)
def test_a_chunked_body_reads_as_a_file_does_and_ends(server: CheckedHttpd, host: str, how: str) -> None:
    with server.client(host) as client:
        told = client.request("POST", path("/read", how=how), iter([LINES[:5], LINES[5:6], LINES[6:]])).json()
    assert "".join(told["parts"]) == LINES.decode()


@pytest.mark.parametrize("how", ["read", "readline", "readlines", "iterate"])
def test_reading_without_a_body_ends_at_once(server: CheckedHttpd, how: str) -> None:
    told = server.get(path("/read", how=how)).json()
    assert "".join(told["parts"]) == ""
    assert told["seconds"] < 5  # and not for as long as a client may be silent


def test_reading_past_the_end_gives_nothing(server: CheckedHttpd) -> None:
    assert server.post(path("/read", how="read"), LINES).json()["after"] == ["", "", ""]


@HOSTS
@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 65536, 131073])
def test_a_body_of_any_size_comes_back_unchanged(server: CheckedHttpd, host: str, size: int) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert server.post("/echo", body, host).body == body


@HOSTS
@pytest.mark.parametrize("size", [0, 1, 65536, 1 << 20])
def test_a_chunked_body_of_any_size_comes_back_unchanged(server: CheckedHttpd, host: str, size: int) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    with server.client(host) as client:
        blocks = (body[start : start + 10007] for start in range(0, size, 10007))
        assert client.request("POST", "/echo", blocks).body == body


def test_a_big_body_goes_through_the_buffer_folder_and_arrives_whole(server: CheckedHttpd) -> None:
    told = server.post("/digest", SPOOLED).json()
    assert told["sha256"] == hashlib.sha256(SPOOLED).hexdigest()


def test_a_spooled_body_lies_in_the_buffer_folder_without_a_name(server: CheckedHttpd, shared_probe: AppFolder) -> None:
    buffer = server.folder / "buffer"
    with Wire(server.port) as wire:
        wire.head("POST /digest HTTP/1.1", f"Content-Length: {len(SPOOLED) + 1}")
        wire.send(SPOOLED)
        eventually(lambda: spooled_in(server, str(buffer)), "an open file in the buffer folder")
        assert list(buffer.iterdir()) == []
        wire.send(b"x")
        assert wire.answer("POST").json()["length"] == len(SPOOLED) + 1


def spooled_in(server: CheckedHttpd, folder: str) -> bool:
    """Has any process an unlinked file of that folder open?"""
    import os

    for process in server.processes():
        with suppress(FileNotFoundError):  # it has ended, or closed one
            for number in os.listdir(f"/proc/{process.pid}/fd"):
                target = os.readlink(f"/proc/{process.pid}/fd/{number}")
                if target.startswith(folder) and target.endswith("(deleted)"):
                    return True
    return False


def test_a_buffered_chunked_body_gets_a_content_length(server: CheckedHttpd) -> None:
    with server.client() as client:
        told = client.request("POST", "/digest", iter([b"12", b"345"])).json()
    assert (told["length"], told["CONTENT_LENGTH"], told["HTTP_TRANSFER_ENCODING"]) == (5, "5", None)


def test_a_streamed_chunked_body_has_no_content_length(server: CheckedHttpd) -> None:
    with server.client("streaming.example") as client:
        told = client.request("POST", "/digest", iter([b"12", b"345"])).json()
    assert (told["length"], told["CONTENT_LENGTH"]) == (5, None)


def test_a_get_may_have_a_body(server: CheckedHttpd) -> None:
    assert server.request("GET", "/echo", body=b"with a body").text == "with a body"


def test_a_body_that_is_not_read_does_not_disturb_the_next_request(server: CheckedHttpd) -> None:
    with server.client() as client:
        first = client.request("POST", path("/unread", status="200 OK"), b"GET /pid HTTP/1.1\r\n\r\n" * 1000)
        assert (first.status, client.request("GET", "/").text) == (200, "the probe's front page")


def test_a_body_that_is_read_in_part_does_not_disturb_the_next_request(server: CheckedHttpd) -> None:
    with server.client() as client:
        assert client.request("POST", path("/first", size=5), b"12345GET /pid HTTP/1.1\r\n\r\n").text == "12345"
        assert client.request("GET", "/").text == "the probe's front page"


def test_two_requests_sent_at_once_are_answered_in_order(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.send(
            b"POST /echo HTTP/1.1\r\nHost: site.example\r\nContent-Length: 3\r\n\r\nabc"
            b"GET /method HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n"
        )
        received = wire.read_to_end()
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.index(b"abc") < received.index(b"GET")


def test_a_multipart_upload_comes_back_unchanged(server: CheckedHttpd) -> None:
    boundary = b"--limit\r\nContent-Disposition: form-data; name=f; filename=f.bin\r\n\r\n"
    body = boundary + bytes(range(256)) + b"\r\n--limit--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=limit"}
    assert server.post("/echo", body, headers=headers).body == body


def test_a_body_over_httpds_limit_is_413_before_the_app(server: CheckedHttpd) -> None:
    server.logs.allow("AH0|JS")
    assert server.post("/limited", b"x" * 2000).status == 413


def test_a_chunked_body_over_httpds_limit_is_413(server: CheckedHttpd) -> None:
    server.logs.allow("AH0|JS")
    with server.client() as client:
        assert client.request("POST", "/limited", iter([b"x" * 600, b"x" * 600])).status == 413


def uploads(probe: AppFolder) -> list[str]:
    """What the app has reported of its route for uploads."""
    return [name for name in probe.event_names() if name.startswith("upload")]


def test_a_malformed_chunk_is_400_and_never_reaches_the_app(server: CheckedHttpd, shared_probe: AppFolder) -> None:
    server.logs.allow("AH0|JS")
    before = uploads(shared_probe)
    with Wire(server.port) as wire:
        wire.head("POST /upload HTTP/1.1", "Transfer-Encoding: chunked")
        wire.send(b"5\r\nabcde\r\nXYZ\r\n")
        assert wire.answer("POST").status == 400
    assert uploads(shared_probe) == before


def test_an_upload_that_is_cut_never_reaches_the_app(server: CheckedHttpd, shared_probe: AppFolder) -> None:
    server.logs.allow("AH0|JS")
    before = uploads(shared_probe)
    with Wire(server.port) as wire:
        wire.head("POST /upload HTTP/1.1", "Content-Length: 100")
        wire.send(b"only a part")
    assert server.get("/").status == 200
    remains_true(lambda: uploads(shared_probe) == before, "the app has not been called", 0.3)


def test_a_chunked_upload_without_its_last_chunk_never_reaches_the_app(
    server: CheckedHttpd, shared_probe: AppFolder
) -> None:
    server.logs.allow("AH0|JS")
    before = uploads(shared_probe)
    with Wire(server.port) as wire:
        wire.head("POST /upload HTTP/1.1", "Transfer-Encoding: chunked")
        wire.send(b"5\r\nabcde\r\n0\r\n")
    assert server.get("/").status == 200
    remains_true(lambda: uploads(shared_probe) == before, "the app has not been called", 0.3)


def test_100_continue_comes_before_the_body_is_sent(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head("POST /echo HTTP/1.1", "Content-Length: 5", "Expect: 100-continue")
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        wire.send(b"12345")
        assert wire.answer("POST").text == "12345"


def test_100_continue_saves_the_upload_that_a_streaming_app_refuses(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head(
            f"POST {path('/unread')} HTTP/1.1",
            "Content-Length: 1000000",
            "Expect: 100-continue",
            host="streaming.example",
        )
        assert wire.read_until(b"\r\n").startswith(b"HTTP/1.1 413 ")


def test_100_continue_comes_when_a_streaming_app_begins_to_read(server: CheckedHttpd, shared_probe: AppFolder) -> None:
    with Wire(server.port) as wire:
        wire.head("POST /late HTTP/1.1", "Content-Length: 5", "Expect: 100-continue", host="streaming.example")
        shared_probe.wait_for_event("late-called")
        shared_probe.open_gate("late")
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        wire.send(b"12345")
        assert wire.answer("POST").text == "12345"


def test_a_json_body_is_what_the_app_gets(server: CheckedHttpd) -> None:
    body = json.dumps({"a": [1, 2, 3]}).encode()
    answer = server.post("/echo", body, headers={"Content-Type": "application/json"})
    assert json.loads(answer.body) == {"a": [1, 2, 3]}


def test_a_connection_that_ends_inside_the_head_disturbs_nobody(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: si")
    assert server.get("/").status == 200


def test_many_uploads_on_one_connection_keep_it(server: CheckedHttpd) -> None:
    with server.client() as client:
        client.request("POST", "/echo", b"0")
        port = client.local_port
        for number in range(20):
            assert client.request("POST", "/echo", b"%d" % number).body == b"%d" % number
        assert client.local_port == port


def test_an_exchange_over_http_1_0_works_with_a_body(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.send(b"POST /echo HTTP/1.0\r\nHost: site.example\r\nContent-Length: 3\r\n\r\nabc")
        response: http.client.HTTPResponse = wire.open_answer("POST")
        assert response.read() == b"abc"
