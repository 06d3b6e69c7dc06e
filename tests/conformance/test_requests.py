"""The request: what a worker takes for one, and what the app sees of it (docs/protocol.md, sections 1 and 2)."""

from __future__ import annotations

import os
import socket
import tempfile
from typing import Iterator

import pytest

from spawner.shared import wire
from tests.conformance.conftest import TOKEN, Starter
from tests.conformance.harness.httpd_side import Exchange
from tests.conformance.harness.loader_process import Process
from tests.conformance.harness.tables import case_id, rows

HEADS = rows("request_heads.tsv")
BODY = b"one\ntwo\r\n\0\xff" * 1000
CONTROLS = ("SCGI", "CONTENT_LENGTH")


def frames(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(len(piece).to_bytes(4, "big") + piece for piece in pieces) + bytes(4)


def shown(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.fixture
def body_file() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(BODY)
        file.flush()
        yield file.fileno()


# The head


@pytest.mark.needs("body-file")
@pytest.mark.needs("frames")
@pytest.mark.needs("token")
@pytest.mark.parametrize("row", [row for row in HEADS if row[0] == b"200"], ids=case_id)
def test_a_head_is_read_and_the_app_sees_its_variables(probe: Process, row: list[bytes]) -> None:
    _, head, *fields = row
    framed = b"JUMPSEAT_FRAMED" in fields
    with probe.group.client().connect(framed) as exchange:
        exchange.send(head)
        assert exchange.answer().status == "200 OK"
    path = [(b"PATH_INFO", b"/variables")]
    with probe.group.client().connect(framed) as exchange:
        exchange.send(wire.encode([*zip(fields[::2], fields[1::2]), *path]))
        seen = shown(exchange.answer().text)
    sent = {name.decode(): value.decode("latin-1") for name, value in zip(fields[::2], fields[1::2])}
    ours = {name for name in sent if name.startswith("JUMPSEAT_") or name in CONTROLS}
    expected = {name: value for name, value in sent.items() if name not in ours}
    assert {name: seen.get(name) for name in expected} == expected
    assert not [name for name in seen if name.startswith("JUMPSEAT_") or name == "SCGI"]


@pytest.mark.needs("token")
@pytest.mark.parametrize("row", [row for row in HEADS if row[0] != b"200"], ids=case_id)
def test_what_is_no_request_is_refused_and_the_worker_goes_on(probe: Process, row: list[bytes]) -> None:
    status, head = row
    with probe.group.client().connect(framed=b"JUMPSEAT_FRAMED" in head) as exchange:
        exchange.send(head)
        assert exchange.answer().status[:3] == status.decode()
    assert probe.get().text == "ok"


@pytest.mark.needs("scgi")
def test_a_head_may_come_byte_by_byte(probe: Process) -> None:
    head = wire.encode_text([("CONTENT_LENGTH", "0"), ("SCGI", "1"), ("JUMPSEAT_TOKEN", TOKEN)])
    with probe.group.client().connect(framed=False) as exchange:
        for index in range(len(head)):
            exchange.send(head[index : index + 1])
        assert exchange.answer().text == "ok"


@pytest.mark.needs("scgi")
def test_a_head_may_have_nearly_a_mebibyte(probe: Process) -> None:
    assert probe.get(variables={"HTTP_X_LONG": "x" * 1_000_000}).text == "ok"


@pytest.mark.needs("scgi")
@pytest.mark.parametrize("data", [b"", b"5", b"30:CONTENT_LENGTH\0"])
def test_a_peer_that_leaves_before_its_head_is_complete_gets_nothing_and_costs_nothing(
    probe: Process, data: bytes
) -> None:
    with probe.group.client().connect() as exchange:
        exchange.send(data)
        exchange.socket.shutdown(socket.SHUT_WR)
        assert exchange.read(1) == b""
    assert probe.get().text == "ok"


def test_any_peer_is_served_where_the_group_has_no_token(starter: Starter) -> None:
    worker = starter.worker(token="")
    assert worker.get(framed=False, kind="").text == "ok"
    assert worker.get(token="whatever").text == "ok"


# The body


def test_a_plain_peer_sends_as_many_bytes_as_content_length_says(probe: Process) -> None:
    assert probe.get("/echo", method="POST", body=BODY, kind="", framed=False).body == BODY


def test_an_inline_body_may_come_behind_the_head_or_later(probe: Process) -> None:
    assert probe.get("/echo", method="POST", body=BODY).body == BODY
    with probe.group.client().open("POST", "/echo", length=len(BODY)) as exchange:
        for start in range(0, len(BODY), 3000):
            exchange.send(BODY[start : start + 3000])
        assert exchange.answer().body == BODY


@pytest.mark.needs("framed-body")
@pytest.mark.needs("scgi")
@pytest.mark.parametrize("size", [1, 7, len(BODY)])
def test_a_framed_body_has_no_length_and_ends_with_its_end_frame(probe: Process, size: int) -> None:
    body = BODY if size > 1 else BODY[:500]
    answer = probe.get("/echo", method="POST", body=frames(body, size), kind="framed")
    assert answer.body == body
    assert "CONTENT_LENGTH" not in shown(probe.get("/variables", method="POST", body=bytes(4), kind="framed").text)


@pytest.mark.needs("body-file")
def test_a_body_in_a_file_is_read_from_its_start(probe: Process, body_file: int) -> None:
    os.lseek(body_file, 5, os.SEEK_SET)
    with probe.group.client().open(
        "POST", "/echo", length=len(BODY), kind="file", descriptors=(body_file,)
    ) as exchange:
        assert exchange.answer().body == BODY


@pytest.mark.needs("body-file")
@pytest.mark.parametrize("length", [0, len(BODY) - 1, len(BODY) + 1])
def test_a_file_of_another_length_is_refused(probe: Process, body_file: int, length: int) -> None:
    with probe.group.client().open("POST", length=length, kind="file", descriptors=(body_file,)) as exchange:
        assert exchange.answer().status == "400 Bad Request"


@pytest.mark.needs("body-file")
def test_what_is_no_regular_file_is_refused(probe: Process) -> None:
    read_end, write_end = os.pipe()
    try:
        with probe.group.client().open("POST", length=0, kind="file", descriptors=(read_end,)) as exchange:
            assert exchange.answer().status == "400 Bad Request"
    finally:
        os.close(read_end)
        os.close(write_end)


@pytest.mark.needs("framed-body")
@pytest.mark.needs("scgi")
def test_content_length_is_there_with_a_body_of_known_length_only(probe: Process) -> None:
    assert shown(probe.get("/variables", method="POST", body=b"abc").text)["CONTENT_LENGTH"] == "3"
    assert "CONTENT_LENGTH" not in shown(probe.get("/variables").text)


def test_no_body_is_an_empty_one(probe: Process) -> None:
    assert probe.get("/echo", kind="none").body == b""


@pytest.mark.needs("framed-body")
@pytest.mark.needs("scgi")
@pytest.mark.parametrize(("kind", "sent"), [("inline", BODY), ("framed", frames(BODY, 100)[:-4]), ("framed", b"\0")])
def test_a_body_that_is_cut_is_never_taken_for_a_whole_one(probe: Process, kind: str, sent: bytes) -> None:
    length = len(BODY) + 1 if kind == "inline" else None
    with probe.group.client().open("POST", "/echo", body=sent, kind=kind, length=length) as exchange:
        exchange.socket.shutdown(socket.SHUT_WR)
        answer = exchange.answer()
    assert (answer.body, answer.status[:3]) == (b"", "") or answer.status[:1] == "5"
    assert probe.get().text == "ok"


@pytest.mark.needs("frames")
def test_a_response_may_begin_before_the_body_has_come(probe: Process) -> None:
    with probe.group.client().open("POST", "/read-late", length=len(BODY)) as exchange:
        exchange.read_until(b"begun\n")
        exchange.send(BODY)
        assert exchange.answer_frames() == BODY


@pytest.mark.needs("frames")
@pytest.mark.parametrize("framed", [True, False])
def test_a_body_that_the_app_does_not_read_hinders_no_response(probe: Process, framed: bool) -> None:
    with probe.group.client().open("POST", length=50_000_000, framed=framed) as exchange:
        exchange.send(b"x" * 50_000)
        assert exchange.answer().text == "ok"


@pytest.mark.needs("scgi")
def test_a_descriptor_that_was_not_announced_is_closed(worker: Process, body_file: int) -> None:
    def ask() -> Exchange:
        return worker.group.client().open(descriptors=(body_file,))

    with ask() as exchange:
        assert exchange.answer().text == "ok"
    before = len(os.listdir(f"/proc/{worker.pid}/fd"))
    for _ in range(5):
        with ask() as exchange:
            assert exchange.answer().text == "ok"
    assert len(os.listdir(f"/proc/{worker.pid}/fd")) <= before
