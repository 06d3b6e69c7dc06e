"""Out-of-band work: how an app asks for it, when it is done, and that it harms nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conformance.harness.loader_process import Process
from tests.unit.loaders.conftest import Starter

APP = (Path(__file__).parent / "apps" / "hooks.py").read_text()
HOOK = """
def out_of_band_work():
    print('working', WORK)
    while not os.path.exists('done'):
        time.sleep(0.01)
"""
ASKING = """
import os, time
def application(environ, start_response):
    if environ["REQUEST_METHOD"] == "OOBW":
        return out_of_band(environ, start_response)
    headers = [("Content-Type", "text/plain")]
    if environ["PATH_INFO"] == "/call":
        environ["passenger.request_oob_work"]()
    elif environ["QUERY_STRING"]:
        headers.append(tuple(environ["QUERY_STRING"].split("=")))
    start_response("200 OK", headers)
    return [b"ok"]
"""
HEADERS = ["X-Passenger-Request-OOB-Work=true", "!~Request-OOB-Work=true", "x-passenger-request-oob-work=True"]


def worker_that_asks(starter: Starter, more: str, **fields: str) -> Process:
    preloader = starter.start(ASKING + more)
    preloader.load(**fields)
    return preloader.fork()


@pytest.mark.parametrize("path", ["/call", *("/?" + header for header in HEADERS)])
def test_an_app_asks_by_a_header_or_a_call_and_the_client_sees_nothing_of_it(starter: Starter, path: str) -> None:
    worker = worker_that_asks(starter, "def out_of_band_work():\n    print('working')\n")
    answer = worker.get(path)
    assert (answer.text, [name for name, _ in answer.headers]) == ("ok", ["Content-Type", "Content-Length"])
    worker.line.expect("work_requested")
    assert "working" not in worker.output.text()
    worker.line.send("work_granted")
    assert float(worker.line.expect("work_done")["seconds"]) >= 0
    assert worker.output.text() == "working\n"
    assert worker.get().text == "ok"


def test_a_header_that_does_not_say_true_asks_for_nothing_and_is_removed(starter: Starter) -> None:
    worker = worker_that_asks(starter, "")
    assert worker.get("/?X-Passenger-Request-OOB-Work=false").header("X-Passenger-Request-OOB-Work") is None
    worker.retire()
    worker.wait_for_end()
    assert worker.line.receive() == []


def test_an_app_without_the_hook_is_called_with_a_complete_request(starter: Starter) -> None:
    worker = worker_that_asks(starter, """
class Body:
    def __iter__(self):
        print("iterated")
        yield b"thrown away"
    def close(self):
        print("closed")
def out_of_band(environ, start_response):
    start_response("200 OK", [])(b"thrown away")
    print(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["SERVER_NAME"], environ["wsgi.input"].read())
    return Body()
""")
    worker.get("/call")
    worker.line.expect("work_requested")
    worker.line.send("work_granted")
    worker.line.expect("work_done")
    assert worker.output.text() == "OOBW / localhost b''\niterated\nclosed\n"
    worker.retire()
    worker.wait_for_end()
    assert worker.group.slot(0).requests == 1


@pytest.mark.parametrize("failure", ["1/0", "exit(3)", "os.nothing"])
def test_work_that_fails_goes_to_the_log_and_harms_nothing(starter: Starter, failure: str) -> None:
    worker = worker_that_asks(starter, f"def out_of_band_work():\n    {failure}\n")
    worker.get("/call")
    worker.line.expect("work_requested")
    worker.line.send("work_granted")
    worker.line.expect("work_done")
    assert "the out-of-band work failed\nTraceback" in worker.output.text()
    assert worker.get().text == "ok"


def test_what_the_app_may_call_is_not_called_by_a_template(starter: Starter) -> None:
    """Django's error page goes through the environ and would call it."""
    worker = starter.worker(APP)
    seen = worker.get("/?repr(environ['passenger.request_oob_work'].do_not_call_in_templates).encode()")
    assert seen.text == "True"


def test_an_app_may_ask_from_a_thread_of_its_own_while_the_worker_is_idle(starter: Starter) -> None:
    later = """
def later(environ):
    threading.Timer(0.05, environ["passenger.request_oob_work"]).start()
    return b"ok"
"""
    worker = starter.worker("import threading\n" + APP + later)
    assert worker.get("/?later(environ)").text == "ok"
    before = time.monotonic()
    worker.line.expect("work_requested")
    assert time.monotonic() - before < 20
