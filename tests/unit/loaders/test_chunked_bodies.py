"""Apps that chunk their body themselves: the client gets the body, framed by the server alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.loaders.python.core.loader_errors import InvalidResponse
from spawner.loaders.python.wsgi.chunked_decoder import ChunkedDecoder
from tests.conformance.harness.httpd_side import Answer
from tests.conformance.harness.loader_process import Process
from tests.unit.loaders.conftest import Starter

PROBE = "responses.py"
CHUNKED = ("Transfer-Encoding", "chunked")
WHOLE = b"3;name=value\r\none\r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n"
BODY = b"one0123456789"


def answer_of(
    probe: Process, blocks: list[Any], path: str = "/spec_stream", headers: Any = (CHUNKED,), **more: Any
) -> Answer:
    return probe.get(f"{path}?{('200 OK', list(headers), blocks)!a}", **more)


@pytest.mark.parametrize("value", ["chunked", "Chunked", " chunked ", b"chunked"])
def test_a_body_that_the_app_chunks_arrives_without_its_chunks(probe: Process, value: Any) -> None:
    answer = answer_of(probe, [WHOLE[:20], WHOLE[20:]], headers=[("Transfer-Encoding", value), ("X-Kept", "1")])
    assert (answer.body, answer.complete) == (BODY, True)
    assert answer.headers == [("X-Kept", "1")]


@pytest.mark.parametrize("path", ["/spec", "/spec_stream"])
def test_the_module_is_asked_to_send_the_body_in_chunks(probe: Process, path: str) -> None:
    answer = answer_of(probe, [WHOLE[:20], WHOLE[20:]], path=path)
    assert (answer.asks_for_chunks, answer.headers, answer.body, answer.complete) == (True, [], BODY, True)


def test_a_plain_peer_gets_the_length_of_a_list_of_chunks(probe: Process) -> None:
    answer = answer_of(probe, [WHOLE[:20], WHOLE[20:]], path="/spec", framed=False)
    assert (answer.asks_for_chunks, answer.header("Content-Length"), answer.body) == (False, "13", BODY)


@pytest.mark.parametrize("framed", [True, False])
def test_a_last_chunk_that_comes_alone_completes_the_body(probe: Process, framed: bool) -> None:
    answer = answer_of(probe, [b"3\r\none\r\n", b"0\r\n\r\n"], framed=framed)
    assert (answer.body, answer.complete) == (b"one", True)


def test_chunks_as_text_are_latin_1(probe: Process) -> None:
    assert answer_of(probe, ["2\r\n\xe9\xe8\r\n", "0\r\n\r\n"]).body == b"\xe9\xe8"


@pytest.mark.parametrize(
    "blocks",
    [[b"3\r\none\r\n"], [b"3\r\none\r\n", b"x\r\n"], [b"3\r\none\r\n", b"3\r\nfour\r\n0\r\n\r\n"],
     [b"3\r\none\r\n", b"0\r\n"],
     [b"3\r\none\r\n", b"0\n\n"], [b"3\r\none\r\n", b"0" * 5000]],
    ids=repr,
)  # fmt: skip
def test_a_malformed_chunk_after_the_first_cuts_the_answer(probe: Process, blocks: list[bytes]) -> None:
    answer = answer_of(probe, blocks)
    assert (answer.status, answer.complete) == ("200 OK", False)
    assert "the app chunks its body itself, and" in probe.output.wait_for("jumpseat.InvalidResponse")


@pytest.mark.parametrize("path", ["/spec", "/spec_stream"])
@pytest.mark.parametrize("blocks", [[b"3\r\nfour\r\n0\r\n\r\n"], [b"no chunk", b"0\r\n\r\n"], [b"3\r\n"]], ids=repr)
def test_a_malformed_chunk_before_the_head_is_sent_is_a_500(probe: Process, path: str, blocks: list[bytes]) -> None:
    assert answer_of(probe, blocks, path=path).status == "500 Internal Server Error"


@pytest.mark.parametrize("headers", [[CHUNKED, CHUNKED], [CHUNKED, ("Content-Length", "13")]], ids=repr)
def test_two_statements_about_the_length_are_a_500(probe: Process, headers: Any) -> None:
    assert answer_of(probe, [WHOLE], headers=headers).status == "500 Internal Server Error"


def test_bytes_after_the_last_chunk_are_dropped_and_a_line_in_the_log(probe: Process) -> None:
    answer = answer_of(probe, [WHOLE, b"3\r\nx\r\n\r\n"])
    assert (answer.body, answer.complete) == (BODY, True)
    probe.output.wait_for("8 bytes beyond the end of the body are dropped")


def test_the_answer_to_head_has_no_body_and_no_chunks(probe: Process) -> None:
    answer = answer_of(probe, [WHOLE], method="HEAD")
    assert (answer.status, answer.headers, answer.body, answer.complete) == ("200 OK", [], b"", True)


def test_an_answer_without_a_body_is_not_decoded(probe: Process) -> None:
    answer = probe.get(f"/spec_stream?{('304 Not Modified', [CHUNKED], [])!a}")
    assert (answer.status, answer.complete) == ("304 Not Modified", True)


def test_a_file_that_holds_chunks_is_decoded_as_well(probe: Process) -> None:
    answer = probe.get("/chunked_file")
    assert (answer.body, answer.complete) == (b"from a file", True)


def test_the_last_chunk_ends_the_answer_before_the_app_ends(probe: Process) -> None:
    with probe.group.client().open(path="/chunks_and_waits", method="POST", length=2) as exchange:
        exchange.read_until(b"\r\n\r\n")
        assert exchange.read_frame() == b"first"
        exchange.send(b"1")
        assert exchange.read_frame() == b""
        exchange.send(b"2")


def test_the_app_is_named_in_one_warning(starter: Starter) -> None:
    preloader = starter.start("""
        def application(environ, start_response):
            start_response("200 OK", [("Transfer-Encoding", "chunked")])
            return [b"0\\r\\n\\r\\n"]
        """)
    preloader.load()
    worker = preloader.fork()
    for _ in range(3):
        assert worker.get().complete
    told = worker.line.expect("warning")["text"]
    assert told == "the app sets Transfer-Encoding and chunks its body itself, which PEP 3333 leaves to the server"
    worker.retire()
    assert worker.line.receive() == []


def chunked(parts: list[bytes], extension: bytes) -> bytes:
    lines = [b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts if part]
    return b"".join(lines) + b"0\r\n\r\n"


@given(
    st.lists(st.binary(max_size=50), max_size=5),
    st.sampled_from([b"", b";a", b' ;a="b\tc"']),
    st.lists(st.integers(0, 300), max_size=8),
    st.binary(max_size=5),
)
def test_the_body_is_the_same_wherever_the_pieces_are_cut(
    parts: list[bytes], extension: bytes, cuts: list[int], behind: bytes
) -> None:
    text = chunked(parts, extension) + behind
    decoder, decoded, excess = ChunkedDecoder(), b"", 0
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in zip(places, places[1:]):
        data, more = decoder.decode(text[start:end])
        decoded += data
        excess += more
    assert (decoded, excess, decoder.ended) == (b"".join(parts), len(behind), True)


@pytest.mark.parametrize(
    "text",
    [b"\r\n", b"-1\r\n", b"+1\r\n", b"0x1\r\n", b" 1\r\n", b"1_0\r\n", b"1" * 16 + b"\r\n", b"1 2\r\n", b"1\r \n",
     b"1\n", b"1;a\0\r\n", b"1;a\rb\r\n", b"1\r\nab", b"1\r\na\n", b"1\r\na\r\r\n", b"0\r\n bad\r\n",
     b"0\r\nX: \0\r\n", b"0\r\nX\r\n",
     b"0\r\n" + b"X: 1\r\n" * 101, b"1;" + b"a" * 5000, "1\u0661".encode() + b"\r\n"],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_what_is_not_chunked_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidResponse, match="the chunks are malformed"):
        ChunkedDecoder().decode(text + b"\n" if text == b"1\r\nab" else text)
