"""wsgi.input over each way a body comes: the same bytes, an end where the body ends, never a wait behind it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from tests.conformance.harness.httpd_side import Answer
from tests.conformance.harness.loader_process import Process

PROBE = "requests.py"
BODY = b"one\ntwo\r\n\nno end"


def frames(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(len(piece).to_bytes(4, "big") + piece for piece in pieces) + b"\0\0\0\0"


@pytest.fixture(params=["inline", "late", "framed", "late frames", "file", "plain", "nothing", "no body"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Sender:
    """Sends one body in a given way. The peer keeps its side open: a read beyond the end would hang."""

    def __init__(self, probe: Process, way: str, body: bytes) -> None:
        self.probe = probe
        self.way = way
        self.body = b"" if way in ("nothing", "no body") else body

    def ask(self, path: str) -> Answer:
        client = self.probe.group.client()
        if self.way == "file":
            with tempfile.TemporaryFile() as file:
                file.write(self.body)
                file.flush()
                size = len(self.body)
                with client.open("POST", path, length=size, kind="file", descriptors=(file.fileno(),)) as exchange:
                    return exchange.answer()
        with client.open("POST", path, **self._options()) as exchange:  # type: ignore[arg-type]
            if self.way == "late":
                for start in range(0, len(self.body), 7):
                    exchange.send(self.body[start : start + 7])
            if self.way == "late frames":
                encoded = frames(self.body, 5)
                for start in range(0, len(encoded), 3):
                    exchange.send(encoded[start : start + 3])
            return exchange.answer()

    def _options(self) -> dict[str, object]:
        if self.way == "framed":
            return {"body": frames(self.body, 4), "kind": "framed"}
        return {
            "inline": {"body": self.body},
            "late": {"length": len(self.body)},
            "late frames": {"kind": "framed"},
            "plain": {"body": self.body, "kind": "", "framed": False},
            "nothing": {"body": b""},
            "no body": {"kind": "none"},
        }[self.way]


@pytest.fixture
def sender(probe: Process, way: str) -> Sender:
    return Sender(probe, way, BODY)


def test_an_unbounded_read_gives_the_whole_body(sender: Sender) -> None:
    assert sender.ask("/read").body == sender.body


def test_a_negative_size_gives_the_whole_body(sender: Sender) -> None:
    assert sender.ask("/read_negative").body == sender.body


def test_behind_the_end_every_read_gives_nothing_at_once(sender: Sender) -> None:
    assert json.loads(sender.ask("/read_twice").body) == [sender.body.decode(), "", "", "", [], []]


def test_small_reads_give_the_body_in_pieces_of_that_size(sender: Sender) -> None:
    text = sender.body.decode()
    expected = [text[start : start + 3] for start in range(0, len(text), 3)]
    assert json.loads(sender.ask("/read_in_bits").body) == expected


def test_a_read_of_no_bytes_takes_none(sender: Sender) -> None:
    assert json.loads(sender.ask("/read_nothing").body) == ["", sender.body[:2].decode()]


@pytest.mark.parametrize("path", ["/read_lines", "/readlines", "/iterate"])
def test_lines_end_with_their_line_feed(sender: Sender, path: str) -> None:
    assert json.loads(sender.ask(path).body) == sender.body.decode().splitlines(keepends=True)


def test_readline_with_a_size_gives_no_more_than_that(sender: Sender) -> None:
    expected = ["one\n", "two\r", "\n", "\n", "no e", "nd"] if sender.body else []
    assert json.loads(sender.ask("/read_line_bits").body) == expected


def test_readlines_with_a_hint_stops_behind_it(sender: Sender) -> None:
    expected = [["one\n", "two\r\n"], "\nno end"] if sender.body else [[], ""]
    assert json.loads(sender.ask("/readlines_hint").body) == expected


def test_readinto_fills_a_buffer(sender: Sender) -> None:
    expected = [4, "one\n"] if sender.body else [0, ""]
    assert json.loads(sender.ask("/readinto").body) == expected


def test_an_unread_body_does_no_harm(sender: Sender) -> None:
    assert sender.ask("/ignore_the_body").text == '"early"'


@pytest.mark.parametrize("way", ["inline", "framed", "file", "plain"])
def test_a_big_body_arrives_whole(probe: Process, way: str) -> None:
    body = bytes(range(256)) * 40_000
    sender = Sender(probe, way, body)
    if way == "framed":
        with probe.group.client().open("POST", "/digest", kind="framed", body=frames(body, 1 << 20)) as exchange:
            answer = exchange.answer()
    else:
        answer = sender.ask("/digest")
    assert json.loads(answer.body) == hashlib.sha256(body).hexdigest()


def test_bytes_behind_a_body_are_not_part_of_it(probe: Process) -> None:
    assert probe.get("/read", method="POST", body=b"abcdef", length=3).body == b"abc"


@pytest.mark.parametrize(("body", "options"), [
    (b"", {"length": 10}), (b"abc", {"length": 10}), (b"abc", {"length": 10, "kind": "", "framed": False}),
    (b"", {"kind": "framed"}), (b"\0\0", {"kind": "framed"}), (b"\0\0\0\5ab", {"kind": "framed"}),
    (b"\0\0\0\3abc", {"kind": "framed"}),
])  # fmt: skip
def test_a_client_that_leaves_within_its_body_is_never_taken_for_one_that_has_sent_all(
    probe: Process, body: bytes, options: dict[str, object]
) -> None:
    before = probe.output.text()
    probe.group.wait_for(lambda group: not group.slot(0).running)
    with probe.group.client().open("POST", "/read_until_it_fails", body, **options):  # type: ignore[arg-type]
        probe.group.wait_for(lambda group: group.cell(0).state)  # before that it would not be run at all
    assert probe.get("/types").complete
    log = probe.output.text()[len(before) :]
    assert log.count("reading raised ClientLeft") == 1
    assert "Traceback" not in log


def test_a_frame_of_another_kind_in_a_request_is_an_error(probe: Process) -> None:
    with probe.group.client().open("POST", "/read", kind="framed", body=b"\xff\xff\xff\xff" + bytes(16)) as exchange:
        assert exchange.answer().status == "500 Internal Server Error"


@pytest.fixture
def odd_descriptors(tmp_path: Path) -> Iterator[list[int]]:
    (tmp_path / "file").write_bytes(b"12345")
    reading, writing = os.pipe()
    opened = [os.open(tmp_path / "file", os.O_RDONLY), reading, os.open(tmp_path, os.O_RDONLY)]
    yield opened
    for descriptor in [*opened, writing]:
        os.close(descriptor)


def test_a_passed_body_has_to_be_a_file_of_the_announced_length(probe: Process, odd_descriptors: list[int]) -> None:
    before = probe.get("/descriptors").body
    for descriptor, length in zip(odd_descriptors, (4, 5, 4096)):
        answer = probe.get("/read", method="POST", kind="file", length=length, descriptors=(descriptor,))
        assert (answer.status, answer.complete) == ("400 Bad Request", True)
    assert probe.get("/descriptors").body == before


def test_a_passed_body_is_read_from_its_start_and_closed_with_the_request(probe: Process) -> None:
    before = probe.get("/descriptors").body
    with tempfile.TemporaryFile() as file:
        file.write(b"abc")
        file.flush()  # its offset is at the end now
        options = {"method": "POST", "kind": "file", "length": 3, "descriptors": (file.fileno(),)}
        assert probe.get("/read", **options).body == b"abc"
        assert probe.get("/ignore_the_body", **options).complete
    assert probe.get("/descriptors").body == before


def test_a_plain_peer_that_still_sends_its_body_gets_the_early_answer(probe: Process) -> None:
    body = b"x" * 500_000
    with probe.group.client().open("POST", "/ignore_the_body", kind="", framed=False, length=len(body)) as exchange:
        exchange.send(body)
        assert exchange.answer().text == '"early"'


def test_a_framed_answer_comes_before_the_body_has(probe: Process) -> None:
    with probe.group.client().open("POST", "/ignore_the_body", length=1 << 30) as exchange:
        assert exchange.answer().complete
