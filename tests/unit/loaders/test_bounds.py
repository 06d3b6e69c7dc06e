"""Bounds of the loader: the largest that is still taken or told, and one more."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from spawner.loaders.python.core.loader_errors import InvalidResponse, LoadFailure
from spawner.loaders.python.diagnostics import failed_message
from spawner.loaders.python.fork_safety.fork_hazards import hazard
from spawner.loaders.python.wsgi.chunked_decoder import ChunkedDecoder
from spawner.shared import wire
from spawner.shared.app_files import AppFiles
from tests.conformance.harness.loader_process import Process

PROBE = "responses.py"


def test_a_line_of_chunks_may_have_4096_bytes() -> None:
    line = b"0;" + b"a" * 4092 + b"\r\n"
    decoder = ChunkedDecoder()
    assert decoder.decode(line + b"\r\n") == (b"", 0)
    assert decoder.ended
    with pytest.raises(InvalidResponse):
        ChunkedDecoder().decode(b"0;a" + line[2:])


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_a_line_that_does_not_end_is_refused_after_4096_bytes(piece: int) -> None:
    decoder = ChunkedDecoder()
    line = b"1;" + b"a" * 4093
    for start in range(0, len(line), piece):
        decoder.decode(line[start : start + piece])
    with pytest.raises(InvalidResponse):
        decoder.decode(b"aa")


def test_a_body_in_chunks_may_have_100_trailers() -> None:
    decoder = ChunkedDecoder()
    decoder.decode(b"0\r\n" + b"X: 1\r\n" * 100 + b"\r\n")
    assert decoder.ended
    with pytest.raises(InvalidResponse):
        ChunkedDecoder().decode(b"0\r\n" + b"X: 1\r\n" * 101 + b"\r\n")


class Line:
    """A control line that takes only so many characters at once; keeps what it has taken."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.told: list[tuple[str, str]] = []

    def send(self, kind: str, fields: list[tuple[str, str]]) -> None:
        if sum(len(name) + len(value) for name, value in fields) > self.room:
            raise wire.MessageTooLong("too long")
        self.told = [("type", kind), *fields]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.told if key == name]


def failure(summary: str = "s", traceback: str = "t") -> Any:
    made = LoadFailure("import", summary, traceback)
    made.__cause__ = ValueError("cause")
    return made


def tell(line: Any, failed: Any, friendly: bool = True) -> None:
    failed_message.send(line, failed, friendly, AppFiles("/srv/app"))


def test_a_failure_is_told_with_4096_characters_of_its_summary() -> None:
    line = Line()
    tell(line, failure(summary="x" * 5000))
    assert line.values("summary") == ["x" * 4096]


def test_a_failure_without_room_is_told_with_the_last_16384_characters_of_its_traceback() -> None:
    line = Line(room=30_000)
    tell(line, failure(summary="x" * 5000, traceback="a" * 90_000 + "b" * 16_384))
    assert (line.values("traceback"), line.values("summary")) == (["b" * 16_384], ["x" * 4096])
    assert line.values("search_path") == []


def test_a_failure_is_told_with_the_first_16384_characters_of_the_search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    entries = ["/" + "a" * 8191, "/" + "b" * 8191, "/c"]
    monkeypatch.setattr(sys, "path", entries)
    tell(line, failure())
    assert line.values("search_path") == entries[:2]


def test_a_friendly_failure_is_told_with_500_characters_of_a_variable_and_16384_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Line()
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for number in range(40):
        monkeypatch.setenv("N%02d" % number, "x" * 600)
    tell(line, failure())
    shown = {name: value for name, value in line.told if name.startswith("env:")}
    assert {len(value) for value in shown.values()} == {500}
    assert len(shown) == 16_384 // 503


def test_a_warning_of_an_import_has_a_name_of_200_and_a_text_of_900_characters() -> None:
    told = hazard("thread", "n" * 300, "t" * 1000, "recipe")
    assert (len(told.name), told.text) == (200, "t" * 900 + " See docs/preloading.md#recipe.")


@pytest.mark.parametrize(("size", "length"), [(256 * 1024, "262144"), (256 * 1024 + 1, None)])
def test_a_list_of_blocks_is_joined_and_counted_up_to_256_kib(probe: Process, size: int, length: str | None) -> None:
    answer = probe.get("/two_blocks?%d" % size)
    assert (answer.header("Content-Length"), len(answer.body), answer.complete) == (length, size, True)
