"""The response: what a worker makes of what the app answers (docs/protocol.md, section 3)."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.httpd_side import Answer
from tests.conformance.harness.loader_process import Process


@pytest.mark.needs("frames")
def test_a_framed_response_ends_with_an_end_frame(probe: Process) -> None:
    answer = probe.get()
    assert (answer.status, answer.text, answer.complete) == ("200 OK", "ok", True)
    assert answer.header("Content-Type") == "text/plain"
    assert answer.error_id == ""


def test_a_plain_peer_gets_the_body_without_frames(probe: Process) -> None:
    assert probe.get(framed=False).body == b"ok"
    assert probe.get("/stream?a,b", framed=False).body == b"ab"


def test_a_piece_reaches_a_plain_peer_before_the_app_gives_the_next(starter: Starter) -> None:
    worker = starter.worker()
    with worker.group.client().open(path="/stream?first,wait,second", framed=False) as exchange:
        exchange.read_until(b"first")
        starter.open_gate()
        exchange.read_until(b"second")


@pytest.mark.needs("frames")
def test_each_piece_is_sent_before_the_app_gives_the_next(starter: Starter) -> None:
    worker = starter.worker()
    with worker.group.client().open(path="/stream?first,wait,second") as exchange:
        exchange.read_until(b"\r\n\r\n")
        assert exchange.read_frame() == b"first"
        starter.open_gate()
        assert exchange.answer_frames() == b"second"


@pytest.mark.needs("strict-responses")
@pytest.mark.parametrize("path", ["/", "/stream?a,b", "/length?5,5"])
@pytest.mark.parametrize("framed", [True, False])
def test_the_response_to_head_has_no_body(probe: Process, path: str, framed: bool) -> None:
    answer = probe.get(path, method="HEAD", framed=framed)
    assert (answer.status, answer.body, answer.complete) == ("200 OK", b"", True)


@pytest.mark.needs("strict-responses")
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_a_body_has_none(probe: Process, status: str) -> None:
    answer = probe.get("/status?" + quote(status))
    assert (answer.status, answer.body, answer.complete) == (status, b"", True)


@pytest.mark.parametrize("status", ["200 OK", "299 Odd", "404 Nicht gefunden", "599 Far out"])
def test_the_status_line_is_the_apps(probe: Process, status: str) -> None:
    assert probe.get("/status?" + quote(status)).status == status


@pytest.mark.needs("frames")
def test_an_error_before_the_head_is_a_500_whose_id_is_in_the_log(worker: Process) -> None:
    answer = worker.get("/error")
    assert (answer.status[:3], answer.complete) == ("500", True)
    assert re.fullmatch("[0-9a-f]{8}", answer.error_id)
    log = worker.output.wait_for("the probe fails on purpose")
    assert f"error id {answer.error_id}" in log
    assert worker.get().text == "ok"


@pytest.mark.needs("scgi")
def test_a_plain_peer_is_told_no_error_id(probe: Process) -> None:
    with probe.group.client().open(path="/error", framed=False) as exchange:
        assert exchange.read_until(b"\r\n").startswith(b"Status: 500")
        assert not exchange.read_until(b"\r\n\r\n").startswith(b"Error")


@pytest.mark.needs("frames")
def test_an_error_after_the_head_cuts_the_response(probe: Process) -> None:
    answer = probe.get("/stream?begun,fail")
    assert (answer.status, answer.body, answer.complete) == ("200 OK", b"begun", False)


@pytest.mark.needs("frames")
def test_a_body_shorter_than_its_length_is_cut(probe: Process) -> None:
    assert not probe.get("/length?10,3").complete


@pytest.mark.needs("strict-responses")
def test_a_body_longer_than_its_length_is_a_500(probe: Process) -> None:
    assert probe.get("/length?3,10").status[:3] == "500"


def test_a_body_of_its_length_is_complete(probe: Process) -> None:
    answer = probe.get("/length?3,3")
    assert (answer.header("Content-Length"), answer.body, answer.complete) == ("3", b"xxx", True)


@pytest.mark.needs("strict-responses")
@pytest.mark.parametrize(
    "header",
    ["Transfer-Encoding=gzip", "Upgrade=h2c", "Trailer=X", "TE=trailers", "Proxy-Connection=close",
     "X-Split=a\r\nX-Injected: 1", "X-Nul=a\0b", "X-Feed=a\nb", "X Space=1", "=1", "Content-Length=-1",
     "Error id=1f2e3d4c"],
    ids=repr,
)  # fmt: skip
def test_a_header_that_an_app_must_not_set_is_a_500(probe: Process, header: str) -> None:
    answer = probe.get("/header?" + quote(header))
    assert (answer.status[:3], answer.header("X-Injected"), answer.complete) == ("500", None, True)
    assert answer.error_id != "1f2e3d4c"


@pytest.mark.needs("strict-responses")
@pytest.mark.parametrize("header", ["Connection=close", "Keep-Alive=timeout=5"])
def test_a_header_about_the_connection_is_dropped(probe: Process, header: str) -> None:
    answer = probe.get("/header?" + quote(header))
    assert (answer.text, answer.header(header.partition("=")[0])) == ("ok", None)


@pytest.mark.needs("frames")
@pytest.mark.parametrize("framed", [True, False])
def test_a_file_arrives_whole_whether_it_is_passed_or_read(starter: Starter, framed: bool) -> None:
    content = bytes(range(256)) * 1000
    (starter.folder / "payload").write_bytes(content)
    answer = starter.worker().get("/file", framed=framed)
    assert (answer.body, answer.complete) == (content, True)


def test_a_client_that_leaves_costs_its_own_request_only(starter: Starter) -> None:
    worker = starter.worker()
    with worker.group.client().open(path="/stream?first,wait," + ",".join(["x" * 1000] * 50)) as exchange:
        exchange.read_until(b"first")
    starter.open_gate()
    assert worker.get().text == "ok"
    assert worker.get("/kill") == Answer()
