"""What an app answers, as it crosses the line: exactly its bytes, in as few pieces as they are known in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.harness.httpd_side import Answer
from tests.conformance.harness.loader_process import Process
from tests.unit.loaders.conftest import Starter

PROBE = "responses.py"


def spec(
    probe: Process,
    status: str = "200 OK",
    headers: Any = (),
    blocks: Any = (b"x",),
    path: str = "/spec",
    method: str = "GET",
    framed: bool = True,
) -> Answer:
    return probe.get(f"{path}?{(status, list(headers), list(blocks))!a}", method=method, framed=framed)


def test_an_answer_is_status_headers_and_body(probe: Process) -> None:
    headers = [("X-A", "1"), ("Set-Cookie", "a"), ("X-B", "Jürgen"), ("Set-Cookie", "b"), ("X-Empty", "")]
    answer = spec(probe, "418 I'm a teapot", headers, [b"abc"])
    assert (answer.status, answer.body, answer.complete) == ("418 I'm a teapot", b"abc", True)
    assert answer.headers == [*headers, ("Content-Length", "3")]


@pytest.mark.parametrize("blocks", [[b"one"], [b"o", b"ne"], [b"", b"one", b""]])
def test_a_list_of_blocks_is_sent_as_one_with_its_length(probe: Process, blocks: list[bytes]) -> None:
    answer = spec(probe, blocks=blocks)
    assert (answer.header("Content-Length"), answer.body, answer.frames) == ("3", b"one", [("data", 3)])


@pytest.mark.parametrize("blocks", [[], [b""], [b"", b""]])
def test_an_empty_list_is_an_answer_of_length_zero(probe: Process, blocks: list[bytes]) -> None:
    answer = spec(probe, blocks=blocks)
    assert (answer.header("Content-Length"), answer.body, answer.complete) == ("0", b"", True)


def test_an_iterable_of_one_block_gets_its_length(probe: Process) -> None:
    assert probe.get("/sized").header("Content-Length") == "9"


def test_a_long_list_of_blocks_is_sent_block_by_block(probe: Process) -> None:
    answer = probe.get("/many_blocks")
    assert (answer.frames, answer.complete) == ([("data", 100000)] * 5, True)


def test_a_generator_has_no_length_and_each_block_is_a_frame(probe: Process) -> None:
    answer = spec(probe, blocks=[b"", b"one", b"", b"two", b""], path="/spec_stream")
    assert answer.header("Content-Length") is None
    assert (answer.frames, answer.body, answer.complete) == ([("data", 3), ("data", 3)], b"onetwo", True)


def test_a_generator_that_yields_nothing_is_a_complete_answer(probe: Process) -> None:
    answer = spec(probe, blocks=[], path="/spec_stream")
    assert (answer.header("Content-Length"), answer.complete) == ("0", True)


def test_a_generator_may_call_start_response_late(probe: Process) -> None:
    assert probe.get("/lazy").text == "started in the generator"


def test_each_block_is_sent_before_the_next_is_asked_for(probe: Process) -> None:
    with probe.group.client().open(path="/waits", method="POST", length=2) as exchange:
        exchange.read_until(b"\r\n\r\n")
        assert exchange.read_frame() == b"first"
        exchange.send(b"1")
        assert exchange.read_frame() == b"second"
        exchange.send(b"2")
        assert exchange.read_frame() == b"third"
        assert exchange.read_frame() == b""


def test_what_is_written_is_sent_at_once_and_before_what_is_returned(probe: Process) -> None:
    with probe.group.client().open(path="/written_at_once", method="POST", length=1) as exchange:
        exchange.read_until(b"\r\n\r\n")
        assert exchange.read_frame() == b"first"
        exchange.send(b"1")
        assert exchange.answer_frames() == b"second"
    assert probe.get("/writes").text == "one two three"


def test_a_big_stream_arrives_whole(probe: Process) -> None:
    answer = probe.get("/big")
    assert (answer.body == b"0123456789abcdef" * 1024 * 300, answer.complete) == (True, True)


@pytest.mark.parametrize(("path", "blocks"), [("/spec", [b"abc"]), ("/spec_stream", [b"a", b"bc"])])
def test_a_plain_peer_gets_the_body_without_frames(probe: Process, path: str, blocks: list[bytes]) -> None:
    answer = spec(probe, blocks=blocks, path=path, framed=False)
    assert (answer.status, answer.body) == ("200 OK", b"abc")


@pytest.mark.parametrize("path", ["/spec", "/spec_stream"])
@pytest.mark.parametrize("framed", [True, False])
def test_head_has_the_head_only(probe: Process, path: str, framed: bool) -> None:
    answer = spec(probe, headers=[("Content-Length", "3")], blocks=[b"abc"], path=path, method="HEAD", framed=framed)
    assert (answer.header("Content-Length"), answer.body, answer.complete) == ("3", b"", True)


def test_head_tells_the_length_that_get_would_have(probe: Process) -> None:
    assert spec(probe, blocks=[b"abc"], method="HEAD").header("Content-Length") == "3"


def test_head_tells_no_length_when_the_app_left_the_body_out(probe: Process) -> None:
    assert spec(probe, blocks=[], method="HEAD").header("Content-Length") is None


def test_head_may_announce_a_length_without_a_body(probe: Process) -> None:
    answer = spec(probe, headers=[("Content-Length", "1000")], blocks=[], method="HEAD")
    assert (answer.header("Content-Length"), answer.complete) == ("1000", True)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("path", ["/spec", "/spec_stream"])
@pytest.mark.parametrize("blocks", [[], [b"smuggled"]])
def test_a_status_without_a_body_has_none(probe: Process, status: str, path: str, blocks: list[bytes]) -> None:
    answer = spec(probe, status, blocks=blocks, path=path)
    assert (answer.status, answer.header("Content-Length"), answer.body) == (status, None, b"")
    assert answer.complete


def test_204_has_no_length_although_the_app_gives_one(probe: Process) -> None:
    assert spec(probe, "204 No Content", [("Content-Length", "0")], []).header("Content-Length") is None


def test_304_keeps_the_length_that_the_app_gives(probe: Process) -> None:
    answer = spec(probe, "304 Not Modified", [("Content-Length", "77")], [])
    assert (answer.header("Content-Length"), answer.complete) == ("77", True)


@pytest.mark.parametrize("header", [("Connection", "close"), ("Keep-Alive", "timeout=5"), ("Status", "404 None")])
def test_a_header_about_the_connection_is_dropped(probe: Process, header: tuple[str, str]) -> None:
    answer = spec(probe, headers=[header, ("X-Kept", "1")])
    assert (answer.status, answer.headers) == ("200 OK", [("X-Kept", "1"), ("Content-Length", "1")])


BAD_HEADERS = [
    ("X-Split", "a\r\nX-Injected: 1"), ("X-Split", "a\nb"), ("X-Split", "a\rb"), ("X-Nul", "a\0b"), ("X-Del", "a\x7f"),
    ("X-Bell", "\a"), ("X-Euro", "€"), ("X-List", [1]), ("X-Bool", True), ("Content-Length", -1), ("X-None", None),
    ("X-Bytes", b"a\r\nX-Injected: 1"), ("X-Bytes", b"a\0"), ("Content-Length", b"1 "), (b"X-Name", "x"), (7, "x"),
    ("", "x"), ("X Space", "x"), ("X:Colon", "x"), ("X-Ünicode", "x"), ("X-Line\n", "x"), ("X-€", "x"),
    ("transfer-encoding", "identity"), ("Transfer-Encoding", "gzip, chunked"), ("Transfer-Encoding", b"chunked\0"),
    ("Upgrade", "websocket"), ("Trailer", "X"),
    ("TE", "trailers"), ("Proxy-Authenticate", "Basic"), ("Proxy-Connection", "close"),
    ("Content-Length", "-1"), ("Content-Length", "+1"), ("Content-Length", "1_0"), ("Content-Length", "1 "),
    ("Content-Length", ""), ("Content-Length", "9" * 19), ("Content-Length", "٣"), ("Content-Length", "1,1"),
    "Content-Length", ("X-Three", "a", "b"), None,
]  # fmt: skip


@pytest.mark.parametrize("header", BAD_HEADERS, ids=repr)
def test_a_bad_header_is_a_500_and_a_line_in_the_log(probe: Process, header: Any) -> None:
    answer = spec(probe, headers=[("X-Before", "1"), header, ("X-After", "1")])
    assert (answer.status, answer.header("X-Injected"), answer.complete) == ("500 Internal Server Error", None, True)
    assert "InvalidResponse" in probe.output.wait_for("jumpseat.InvalidResponse")
    assert spec(probe).status == "200 OK"


def test_the_line_in_the_log_names_the_header_and_the_request(probe: Process) -> None:
    spec(probe, headers=[("X-Culprit", "a\nb")])
    log = probe.output.wait_for("the header X-Culprit is not valid: 'a\\nb'")
    assert "GET /spec: an invalid response" in log


def test_two_lengths_are_refused_even_when_they_agree(probe: Process) -> None:
    answer = spec(probe, headers=[("Content-Length", "1"), ("content-length", "1")])
    assert answer.status == "500 Internal Server Error"


@pytest.mark.parametrize(
    "status",
    ["200 OK\r\nX: 1", "200 a\nb", "200 a\0", "OK", "", "20 Low", "2000 Long", "abc OK", "099 Low", "100 Continue",
     "101 Switching Protocols", "000 None", "200OK", 200, b"200 OK", None, "200 €", " 200 OK", "٢٠٠ OK"],
    ids=repr,
)  # fmt: skip
def test_a_bad_status_is_a_500(probe: Process, status: Any) -> None:
    assert spec(probe, status).status == "500 Internal Server Error"


@pytest.mark.parametrize("status", ["200 OK", "299 Odd", "599 Far out", "404 Nicht gefunden: ü", "200 ", "200"])
def test_the_status_line_is_the_apps(probe: Process, status: str) -> None:
    assert spec(probe, status).status == status


def test_a_head_beyond_the_limit_is_a_500(probe: Process) -> None:
    assert probe.get("/spec?('200 OK', [('X-Long', 'a' * 300000)], [])").status == "500 Internal Server Error"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("X-Int", 5, "5"), ("X-Float", 0.5, "0.5"), ("X-Bytes", b"\xfc", "ü"), ("Content-Length", 4, "4"),
     ("content-length", b"4", "4"), ("X-Bytes", bytearray(b"x"), "x")],
)  # fmt: skip
def test_a_header_value_that_is_no_str_but_clear_is_sent_as_it_is_meant(
    probe: Process, name: str, value: Any, text: str
) -> None:
    answer = spec(probe, headers=[("X-Before", "1"), (name, value), ("X-After", "2")], blocks=[b"body"])
    assert (answer.status, answer.header(name), answer.body, answer.complete) == ("200 OK", text, b"body", True)
    assert (answer.header("X-Before"), answer.header("X-After")) == ("1", "2")


@pytest.mark.parametrize(
    ("block", "sent"), [("text ü", "text ü".encode("latin-1")), (bytearray(b"x"), b"x"), ("", b"")], ids=repr
)
@pytest.mark.parametrize("path", ["/spec", "/spec_stream"])
def test_a_block_that_is_no_bytes_but_clear_is_sent_as_it_is_meant(
    probe: Process, block: Any, sent: bytes, path: str
) -> None:
    answer = spec(probe, blocks=[block], path=path)
    assert (answer.status, answer.body, answer.complete) == ("200 OK", sent, True)
    assert spec(probe, blocks=[b"a", block], path=path).body == b"a" + sent


def test_content_length_counts_the_bytes_of_a_text(probe: Process) -> None:
    answer = spec(probe, headers=[("Content-Length", "2")], blocks=["üü"])
    assert (answer.body, answer.complete) == (b"\xfc\xfc", True)


def test_what_is_no_str_or_bytes_is_told_once_for_each_header_and_type(starter: Starter) -> None:
    preloader = starter.start("""
        def application(environ, start_response):
            start_response("200 OK", [("X-Number", 5), ("X-Other", b"x")])
            return ["text"]
        """)
    preloader.load()
    worker = preloader.fork()
    for _ in range(3):
        assert worker.get().text == "text"
    told = [worker.line.expect("warning")["text"] for _ in range(3)]
    assert told == [
        "the value of the header X-Number is of type int, not str as PEP 3333 asks",
        "the value of the header X-Other is of type bytes, not str as PEP 3333 asks",
        "a block of the body is of type str, not bytes as PEP 3333 asks",
    ]
    worker.retire()
    assert worker.line.receive() == []


@pytest.mark.parametrize("block", ["€", None, 5], ids=repr)
@pytest.mark.parametrize("path", ["/spec", "/spec_stream"])
def test_a_block_that_has_no_obvious_bytes_is_a_500(probe: Process, block: Any, path: str) -> None:
    assert spec(probe, blocks=[block], path=path).status == "500 Internal Server Error"


def test_a_short_body_is_cut(probe: Process) -> None:
    answer = spec(probe, headers=[("Content-Length", "10")], blocks=[b"12345"])
    assert (answer.body, answer.complete) == (b"12345", False)
    probe.output.wait_for("5 bytes shorter than its Content-Length")


def test_a_length_without_any_body_is_a_500(probe: Process) -> None:
    assert spec(probe, headers=[("Content-Length", "10")], blocks=[]).status == "500 Internal Server Error"


def test_a_block_beyond_the_length_is_withheld_and_the_answer_cut(probe: Process) -> None:
    answer = spec(probe, headers=[("Content-Length", "10")], blocks=[b"12345", b"678901234"], path="/spec_stream")
    assert (answer.body, answer.complete) == (b"12345", False)
    probe.output.wait_for("4 bytes longer than its Content-Length")


def test_a_first_block_beyond_the_length_is_a_500(probe: Process) -> None:
    answer = spec(probe, headers=[("Content-Length", "3")], blocks=[b"12345"])
    assert (answer.status, answer.complete) == ("500 Internal Server Error", True)


def test_what_comes_behind_a_complete_body_is_dropped_and_logged(probe: Process) -> None:
    answer = spec(probe, headers=[("Content-Length", "3")], blocks=[b"123", b"4567"], path="/spec_stream")
    assert (answer.body, answer.complete) == (b"123", True)
    probe.output.wait_for("4 bytes beyond the end of the body are dropped")


def test_a_body_is_complete_as_soon_as_its_length_is_reached_whatever_the_app_does_then(probe: Process) -> None:
    with probe.group.client().open(path="/complete_and_goes_on", method="POST", length=1) as exchange:
        exchange.read_until(b"\r\n\r\n")
        assert (exchange.read_frame(), exchange.read_frame()) == (b"all.", b"")
        exchange.send(b"1")


def test_head_of_an_endless_stream_ends(probe: Process) -> None:
    assert probe.get("/endless", method="HEAD").complete


def test_start_response_may_be_called_again_with_an_exception_before_the_head_is_sent(probe: Process) -> None:
    answer = probe.get("/starts_again_with_exc_info")
    assert (answer.status, answer.text) == ("503 Oops", "an error page")
    assert [name for name, _ in answer.headers] == ["Content-Type", "X-New", "Content-Length"]


def test_start_response_raises_the_given_exception_once_the_head_is_sent(probe: Process) -> None:
    answer = probe.get("/starts_again_too_late")
    assert (answer.status, answer.body, answer.complete) == ("200 OK", b"first", False)
    probe.output.wait_for("ValueError: too late to handle")


@pytest.mark.parametrize(
    "path",
    ["/starts_twice", "/forgets_to_start", "/forgets_to_start_with_body", "/returns_none", "/closes_before_the_head",
     "/swallows_refusal"],
)  # fmt: skip
def test_what_pep_3333_forbids_is_a_500(probe: Process, path: str) -> None:
    answer = probe.get(path)
    assert (answer.status, answer.complete) == ("500 Internal Server Error", True)
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
