"""Requests that workers are in, as the cells of the scoreboard show them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from spawner.processes.scoreboard_reader import parse_cell


def cell(text: bytes, state: int = 1, since: int = 5_000_000_000, deadline: int = 0, length: int = -1) -> bytes:
    told = len(text) if length < 0 else length
    return (struct.pack("<IIQQ", state, told, since, deadline) + text).ljust(512, b"\0")[:512]


HEAD = b"CONTENT_LENGTH\x000\0SCGI\x001\0REQUEST_METHOD\0POST\0HTTP_HOST\0a.example\0REQUEST_URI\0/cart?card=1234\0"


def test_a_free_cell_holds_no_request() -> None:
    assert parse_cell(0, cell(HEAD, state=0)) is None


def test_method_host_and_path_are_taken_from_the_head() -> None:
    request = parse_cell(3, cell(HEAD, deadline=9_000_000_000))
    assert request is not None
    assert (request.thread, request.since, request.deadline) == (3, 5.0, 9.0)
    assert (request.method, request.host, request.path) == ("POST", "a.example", "/cart")


def test_a_path_that_is_cut_ends_in_dots() -> None:
    request = parse_cell(0, cell(HEAD[: HEAD.index(b"rt?")]))
    assert request is not None
    assert request.path == "/ca..."


def test_a_name_that_is_cut_is_no_name() -> None:
    request = parse_cell(0, cell(HEAD[: HEAD.index(b"_URI")]))
    assert request is not None
    assert (request.host, request.path) == ("a.example", "")


def test_what_lies_behind_the_text_is_of_an_older_request() -> None:
    request = parse_cell(0, cell(HEAD, length=HEAD.index(b"HTTP_HOST")))
    assert request is not None
    assert (request.method, request.host) == ("POST", "")


@given(st.binary(min_size=512, max_size=512))
def test_no_bytes_upset_the_reader(bytes_of_cell: bytes) -> None:
    request = parse_cell(0, bytes_of_cell)
    assert request is None or "?" not in request.path
