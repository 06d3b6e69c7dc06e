"""What an app's error costs: its request, a traceback in the log, nothing more. close() is called once, always."""

from __future__ import annotations

import re
from typing import Any

import pytest

from spawner.loaders.python.wsgi.response import Response
from tests.conformance.harness.loader_process import Process
from tests.conformance.loaders import ROOT
from tests.unit.loaders.conftest import Starter

PROBE = "responses.py"


@pytest.mark.parametrize(("path", "error"), [
    ("/raises", "ValueError: at once"), ("/raises_after_head", "ValueError: after start_response"),
    ("/exits", "SystemExit: 3"), ("/interrupts", "KeyboardInterrupt"),
])  # fmt: skip
def test_an_error_before_the_head_is_a_500_and_a_traceback_in_the_log(probe: Process, path: str, error: str) -> None:
    answer = probe.get(path)
    assert (answer.status, answer.complete) == ("500 Internal Server Error", True)
    log = probe.output.wait_for(error)
    assert re.search(rf"GET {path}: the app failed \(error id [0-9a-f]{{8}}\)\nTraceback \(most recent", log)
    assert "ValueError" not in answer.text
    assert "Traceback" not in answer.text
    assert probe.get("/hello").text == "Hello, world!"


def test_a_plain_peer_gets_the_500_too(probe: Process) -> None:
    assert probe.get("/raises", framed=False).status == "500 Internal Server Error"


def test_the_traceback_shows_the_apps_frames_and_none_of_ours(probe: Process) -> None:
    probe.get("/calls_helper_that_fails")
    log = probe.output.wait_for("X-Bad")
    shown = log[log.rindex("GET /calls_helper_that_fails") :]
    assert "in helper_of_the_app" in shown
    assert ROOT not in shown


@pytest.mark.parametrize(("path", "error"), [
    ("/closes_after_failing", "ValueError: in the middle"), ("/exits_in_the_middle", "SystemExit: 3"),
])  # fmt: skip
def test_an_error_after_the_head_cuts_the_answer(probe: Process, path: str, error: str) -> None:
    answer = probe.get(path)
    assert (answer.status, answer.body, answer.complete) == ("200 OK", b"first", False)
    assert "GET {}: the app failed (error id {})".format(path, answer.error_id) in probe.output.wait_for(error)
    assert probe.get("/hello").complete


def test_an_error_that_cuts_a_frame_adds_nothing_to_it() -> None:
    class Interrupted:
        """A connection during whose second send a signal handler of the app raises."""

        sent: list[bytes] = []

        def sendall(self, data: bytes) -> None:
            self.sent.append(data)
            if len(self.sent) == 2:
                raise ValueError("from a signal handler")

    connection: Any = Interrupted()
    response = Response(connection, True, "GET")
    response.start_response("200 OK", [])
    response.write(b"first")
    with pytest.raises(ValueError, match="handler"):
        response.write(b"second")
    response.cut("0123abcd")
    assert [data[-6:] for data in connection.sent] == [b"\x05first", b"second"]


def test_a_request_line_in_the_log_is_one_line_whatever_the_path_holds(probe: Process) -> None:
    probe.get("/nothing\nlike [error] that\u00fc")
    probe.output.wait_for("GET /nothing\\nlike [error] that\\xfc: the app failed (error id")


@pytest.mark.parametrize(("path", "name"), [
    ("/closes", "closes"), ("/closes_after_failing", "after-failing"), ("/closes_before_the_head", "before-the-head"),
    ("/sized", "sized"), ("/generator_that_notes_its_end", "generator"),
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_close_is_called_once(probe: Process, path: str, name: str, method: str) -> None:
    probe.get("/what_was_closed")
    probe.get(path, method=method)
    assert probe.get("/what_was_closed").text == name


def test_close_is_called_once_also_when_the_client_leaves(probe: Process) -> None:
    probe.get("/what_was_closed")
    with probe.group.client().open(path="/endless") as exchange:
        exchange.read(100000)
    before = probe.output.text()
    assert probe.get("/what_was_closed").text == "endless"
    assert probe.output.text() == before, "the client's leaving is nobody's fault"


def test_an_app_that_writes_to_a_client_that_left_is_told_by_an_os_error(probe: Process) -> None:
    probe.get("/what_was_closed")
    with probe.group.client().open(path="/write_after_client_left") as exchange:
        exchange.read(100000)
    before = probe.output.text()
    assert probe.get("/what_was_closed").text == "ClientLeft"
    assert probe.output.text() == before


def test_an_error_in_close_is_logged_and_the_answer_is_whole(probe: Process) -> None:
    answer = probe.get("/close_fails")
    assert (answer.text, answer.complete) == ("whole", True)
    probe.output.wait_for("RuntimeError: in close")


@pytest.mark.parametrize("framed", [True, False])
def test_the_client_has_its_answer_before_close_is_called(starter: Starter, framed: bool) -> None:
    worker = starter.worker("""
        import os, time
        class Blocks(object):
            def __iter__(self): return iter([b"done"])
            def close(self):
                while not os.path.exists("gate"): time.sleep(0.01)
        def application(environ, start_response):
            start_response("200 OK", [])
            return Blocks()
        """)
    with worker.group.client().open(framed=framed) as exchange:
        head = exchange.read_until(b"\r\n\r\n")
        body = (exchange.read_frame(), exchange.read_frame()) if framed else (exchange.read(4), exchange.read(1))
        assert body == (b"done", b"")
        assert (head[:14], worker.group.slot(0).running) == (b"Status: 200 OK", 1)
        starter.write("", "gate")
        assert exchange.read(1) == b""
