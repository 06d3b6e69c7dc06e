"""What only Rack has, and what an app of Phusion Passenger's finds (the Ruby loader; apps/rack/rack.ru says how).

The rules of Rack 3 are tried with Rack 2 by another `Rack.release`.
"""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

import pytest

from spawner.processes.app_stacks import app_stacks
from tests.conformance.conftest import Starter
from tests.conformance.harness.httpd_side import Answer
from tests.conformance.harness.loader_process import Preloader, Process
from tests.conformance.loaders import APPS, ROOT, LoaderUnderTest, ruby_loaders

RACK_2, RACK_3 = "2.2.6", "3.1.0"
LARGE = b"line\n" * 40_000
URI = "/a%20b%2Fc;d?x=%20"

pytestmark = pytest.mark.skipif(not ruby_loaders(), reason="needs Ruby and Rack")


class Apps:
    """Starts processes of an app of Rack; they end with the tests."""

    def __init__(self, loader: LoaderUnderTest, folder: Path, stack: ExitStack) -> None:
        self.folder = Path(shutil.copytree(APPS / "rack", folder / "app"))
        self._starter = Starter(loader, self.folder, stack)

    def load(self, release: str = RACK_2, **fields: str) -> Preloader:
        preloader = self._starter.start(RACK=release)
        preloader.load("rack.ru", warmup="1", **fields)
        return preloader

    def serve(self, release: str = RACK_2, variables: dict[str, str] | None = None, **fields: str) -> Preloader:
        process = self._starter.start(RACK=release, **(variables or {}))
        process.serve("rack.ru", **fields)
        return process


@pytest.fixture(scope="module", params=ruby_loaders(), ids=lambda loader: loader.name)
def apps(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    with ExitStack() as stack:
        yield Apps(request.param, tmp_path_factory.mktemp("rack"), stack)


@pytest.fixture(scope="module")
def rack2(apps: Apps) -> Preloader:
    return apps.serve()


@pytest.fixture(scope="module")
def rack3(apps: Apps) -> Preloader:
    return apps.serve(RACK_3, threads="2", multiprocess="0", friendly="1", early_hints="1")


def environment(process: Process, path: str = "/", **variables: str) -> dict[str, str]:
    lines = process.get("/", variables={"REQUEST_URI": path, **variables}).text.splitlines()
    return dict(line.split("=", 1) for line in lines)


def lines(process: Process, path: str, **options: object) -> list[str]:
    return process.get(path, **options).text.splitlines()


# The environment


def test_the_environment_says_what_rack_and_passenger_say(rack2: Process, rack3: Process) -> None:
    shown = environment(rack2, "/", QUERY_STRING="", HTTP_VERSION="0")
    expected = {"rack.version": "[1, 3]", "rack.multithread": "false", "rack.multiprocess": "true"}
    expected |= {"rack.run_once": "false", "rack.url_scheme": '"http"', "rack.hijack?": "true"}
    expected |= {"HTTP_VERSION": '"HTTP/1.1"', "QUERY_STRING": '""', "rack.response_finished": "[]"}
    assert {name: shown.get(name) for name in expected} == expected
    assert "rack.early_hints" not in shown
    of_threads = environment(rack3)
    assert (of_threads["rack.multithread"], of_threads["rack.multiprocess"]) == ("true", "false")


@pytest.mark.parametrize(("https", "scheme"), [("on", "https"), ("1", "https"), ("off", "http")])
def test_the_scheme_follows_https(rack2: Process, https: str, scheme: str) -> None:
    assert environment(rack2, HTTPS=https)["rack.url_scheme"] == f'"{scheme}"'


@pytest.mark.parametrize(
    ("uri", "script_name", "path_info", "expected"),
    [
        (URI, "", "/a b/c;d", "/a%20b%2Fc;d"),
        (f"/s%75b{URI}", "/sub", "/a b/c;d", "/a%20b%2Fc;d"),
        (f"http://site.example{URI}", "", "/a b/c;d", "/a%20b%2Fc;d"),
        ("/rewritten", "", "/a b\xfc%", "/a%20b%FC%25"),
        ("/sub", "/sub", "", ""),
        ("/", "", "", "/"),
        ("/plain", "", "/plain", "/plain"),
    ],
)
def test_the_path_stays_percent_encoded(
    rack2: Process, uri: str, script_name: str, path_info: str, expected: str
) -> None:
    shown = environment(rack2, uri, SCRIPT_NAME=script_name, PATH_INFO=path_info)
    assert (shown["PATH_INFO"], shown["SCRIPT_NAME"]) == (f'"{expected}"', f'"{script_name}"')


def test_config_ru_is_evaluated_as_rackup_does_and_sees_nothing_of_the_loader(rack2: Process, apps: Apps) -> None:
    name, folder, frozen, constants, program, setup = lines(rack2, "/names")
    assert (name, folder, frozen, constants) == ("rack.ru", str(apps.folder), "as its first line says", "0")
    assert (program.endswith("start.rb"), setup) == (True, "before Rack")


# The body of the request


@pytest.mark.parametrize("body", [b"one\ntwo\nthree", LARGE])
def test_a_body_can_be_read_again_with_rack_2(rack2: Process, body: bytes) -> None:
    first, count, start, rest, size, nothing, empty = lines(rack2, "/twice", method="POST", body=body)
    assert first == '"' + body[: body.index(b"\n")].decode() + '\\n"'
    assert (count, size) == (str(len(body.splitlines())), str(len(body)))
    assert start == repr(body[:4].decode()).replace("'", '"')
    assert (rest, nothing, empty) == (str(min(1000, len(body) - 4)), "nil", '""')


def test_a_large_body_of_which_the_app_has_read_a_part_goes_on_there(rack2: Process, rack3: Process) -> None:
    for process in (rack2, rack3):
        start, rest, nothing = lines(process, "/parts", method="POST", body=LARGE)
        assert (start, rest, nothing) == ('"line"', str(len(LARGE) - 4), "nil")


def test_a_body_is_read_once_with_rack_3(rack3: Process) -> None:
    rewinds, first, start, count, nothing = lines(rack3, "/once", method="POST", body=LARGE)
    assert (rewinds, first, start, count, nothing) == ("false", '"line\\n"', "lin", "39999", "nil")


def test_a_client_that_waits_for_it_is_told_to_continue_when_the_body_is_read(rack2: Process) -> None:
    expect = {"JUMPSEAT_EXPECT": "100-continue"}
    with rack2.group.client().open("POST", "/twice", length=3, variables=expect) as exchange:
        assert exchange.read_until(b"\r\n\r\n") == b"Status: 100 Continue\r\n\r\n"
        exchange.send(b"abc")
        assert exchange.answer().status == "200 OK"
    with rack2.group.client().open("POST", "/", length=3, variables=expect) as exchange:
        assert exchange.answer().status == "200 OK"


# The response


def test_early_hints_are_sent_before_the_response_without_what_no_header_can_be(rack3: Process) -> None:
    answer = rack3.get("/hints")
    links = "hints|link=</a.css>; rel=preload|link=</b.css>; rel=preload|x-list=a|x-list=b"
    assert answer.interims == [links, *(f"hints|x-number={number}" for number in range(15))]
    assert (answer.text, answer.header("link")) == ("hinted", None)


def test_a_peer_without_frames_may_not_know_early_hints(rack3: Process) -> None:
    shown = rack3.get("/", framed=False).text
    assert ("rack.early_hints" in rack3.get("/").text, "rack.early_hints" in shown) == (True, False)


def values(answer: Answer, name: str) -> list[str]:
    return [value for header, value in answer.headers if header == name]


def test_a_header_has_several_values_as_an_array_or_in_lines(rack2: Process, rack3: Process) -> None:
    assert values(rack2.get("/lines"), "x-list") == ["a", "b"]
    for process in (rack2, rack3):
        answer = process.get("/array")
        assert values(answer, "x-list") == ["a", "b"]
        assert (answer.header("symbol"), answer.header("x-number")) == ("value", "5")
        assert {"x-none", "rack.early"}.isdisjoint(name for name, _ in answer.headers)


def test_a_line_end_in_a_header_is_an_invalid_response_with_rack_3(rack3: Process) -> None:
    assert rack3.get("/lines").status[:3] == "500"


def test_text_is_sent_as_the_bytes_that_it_has(rack2: Process) -> None:
    answer = rack2.get("/utf8")
    green = "gr\xfcn".encode()
    assert (answer.header("x-name"), answer.body) == (green.decode("latin-1"), green)
    assert answer.header("Content-Length") == str(len(green))


def test_of_a_body_with_each_and_call_each_counts(rack3: Process) -> None:
    assert rack3.get("/both").text == "each"


@pytest.mark.parametrize("path", ["/call", "/partial"])
@pytest.mark.parametrize("framed", [True, False])
def test_an_app_writes_its_body_to_a_stream(rack2: Process, path: str, framed: bool) -> None:
    answer = rack2.get(path, framed=framed)
    assert (answer.text, answer.complete) == ("onetwothreefour\n", True)
    rack2.output.wait_for("closed: true")


def test_a_stream_may_be_closed_after_its_call_has_returned(rack2: Process) -> None:
    answer = rack2.get("/later")
    assert (answer.text, answer.complete) == ("later", True)


def test_a_stream_whose_app_fails_is_cut(rack2: Process) -> None:
    answer = rack2.get("/fail")
    assert (answer.text, answer.complete) == ("begun", False)
    rack2.output.wait_for(f"error id {answer.error_id}")


def test_the_response_to_head_calls_no_stream(rack2: Process) -> None:
    answer = rack2.get("/call", method="HEAD")
    assert (answer.text, answer.complete) == ("", True)
    rack2.get("/call")
    assert "called for HEAD" not in rack2.output.wait_for("called for GET")


def test_an_app_that_takes_the_connection_over_speaks_for_itself(rack2: Process) -> None:
    with rack2.group.client().open(path="/full") as exchange:
        assert exchange.read_until(b"\r\n\r\n") == b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
        exchange.send(b"ping")
        assert exchange.read(10) == b"ping"
    assert rack2.get("/").status == "200 OK"
    assert "GET /full: " not in rack2.output.text(), "what it returns then is no response"


def test_a_file_is_passed_and_its_body_closed(apps: Apps, rack2: Process) -> None:
    (apps.folder / "payload").write_bytes(b"of the file")
    answer = rack2.get("/file")
    assert (answer.body, answer.frames) == (b"of the file", [("file", 11)])
    assert answer.header("Content-Length") == "11"
    assert rack2.get("/file", framed=False).body == b"read"
    rack2.output.wait_for("closed\n")


@pytest.mark.parametrize("framed", [True, False])
def test_a_body_that_the_app_has_chunked_arrives_without_its_chunks(rack2: Process, framed: bool) -> None:
    answer = rack2.get("/chunks", framed=framed)
    assert (answer.text, answer.complete, answer.asks_for_chunks) == ("firstsecond", True, framed)


def test_callbacks_hear_of_the_end_of_a_response_in_reverse_order(rack3: Process) -> None:
    assert rack3.get("/finished").status == "201 Created"
    log = rack3.output.wait_for("first true 201 b NilClass")
    assert log.index("second true 201 b NilClass") < log.index("first true 201 b NilClass")
    assert rack3.get("/finished?fail").status[:3] == "500"
    rack3.output.wait_for("first true nil  ArgumentError")


@pytest.mark.parametrize("options", [{}, {"method": "POST", "body": LARGE}, {"method": "HEAD"}])
def test_rack_lint_finds_nothing(rack2: Process, options: dict[str, object]) -> None:
    answer = rack2.get("/lint", **options)
    assert (answer.status, answer.complete) == ("200 OK", True)


# Connections that the app has taken over


def wait_for_stacks(process: Process, *expected: str) -> None:
    """Ask a process for its stacks until they say what its threads wait for, `main: ...` for each, in any order."""
    pattern = re.compile(r"\[(\w+).*\] .*\n  \((.+)\)$", re.MULTILINE)
    start = -1

    def found(_: object) -> bool:
        nonlocal start
        text = process.output.text()[start:] if start >= 0 else ""
        reasons = pattern.findall(app_stacks(text, ROOT.rstrip("/")))
        if sorted(expected) == sorted(f"{name}: {reason}" for name, reason in reasons):
            return True
        if start < 0 or ("Thread 0x" in text and text.endswith("\n")):
            start = len(process.output.text())
            process.signal(12)
        return False

    process.group.wait_for(found)


def shown(process: Process, number: int) -> bytes:
    """Return the request in a cell; empty: there is none."""
    cell = process.group.cell(0, number)
    return cell.text[: cell.length] if cell.state else b""


def request_threads(process: Process) -> list[str]:
    tasks = Path(f"/proc/{process.pid}/task").glob("*/comm")
    return [task.read_text() for task in tasks if task.read_text().startswith("request-")]


def test_a_request_lasts_until_the_app_closes_the_connection_and_needs_no_thread(apps: Apps) -> None:
    worker = apps.serve(threads="1", backtrace_signal="12")
    with worker.group.client().open(path="/held?gate1") as first, worker.group.client().open(path="/full") as second:
        assert second.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
        assert first.read_until(b"gate1")
        worker.group.wait_for(lambda group: b"/full" in shown(worker, 2))
        assert worker.get("/").status == "200 OK"
        worker.group.wait_for(lambda group: group.slot(0)[2:5] == (2, 3, 1))
        assert (shown(worker, 0), b"/held" in shown(worker, 1)) == (b"", True)
        (apps.folder / "gate1").touch()
        assert first.read_frame() == b""
        worker.group.wait_for(lambda group: group.slot(0)[2:5] == (1, 2, 2))
        assert (b"/full" in shown(worker, 1), shown(worker, 2)) == (True, b"")
        worker.retire()
        worker.group.wait_for(lambda group: not request_threads(worker))
        wait_for_stacks(worker, "main: waits for connections that the app has taken over")
        second.send(b"ping")
        assert second.read(10) == b"ping"
    worker.wait_for_end()
    assert worker.group.slot(0)[:5] == (0, worker.pid, 0, 1, 3)
    assert worker.output.wait_for_end().endswith("at exit\n")


def test_a_connection_that_the_app_has_dropped_holds_up_no_worker(apps: Apps) -> None:
    worker = apps.serve()
    with worker.group.client().open(path="/drop") as exchange:
        assert exchange.read_until(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\n\r\n"
        worker.retire()
        worker.wait_for_end()


def test_the_advertised_concurrency_level_bounds_what_the_app_has_taken_over(apps: Apps) -> None:
    worker = apps.serve(variables={"LEVEL": "1"}, threads="3")
    with worker.group.client().open(path="/full") as first, worker.group.client().open(path="/log") as second:
        assert first.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
        worker.group.wait_for(lambda group: b"/full" in shown(worker, 1))
        assert worker.group.slot(0)[2:5] == (1, 1, 0)
        first.send(b"ping")
        assert first.read(10) == b"ping"
        assert second.answer().text == "ping"


def test_an_advertised_concurrency_level_above_the_threads_is_said_in_the_log(apps: Apps) -> None:
    worker = apps.serve(variables={"LEVEL": "5"})
    worker.output.wait_for("is 5, and PassengerThreadCount 1: so many requests run at a time")


def test_an_event_that_there_is_not_is_an_error_of_the_app(rack2: Process) -> None:
    assert lines(rack2, "/unknown-event") == ["Unknown event name 'no_such_event'"] * 2


# Errors


def test_an_app_that_returns_no_response_or_exits_costs_its_own_request_only(rack2: Process) -> None:
    assert [rack2.get(path).status[:3] for path in ("/nil", "/exit", "/")] == ["500", "500", "200"]


def test_the_friendly_page_shows_causes_source_gems_and_load_path(rack3: Process) -> None:
    page = rack3.get("/caused").text
    for text in ("RuntimeError: inner", "ArgumentError: outer", "raise &quot;inner&quot;", "$LOAD_PATH", "stringio "):
        assert text in page
    assert "loaders/ruby" not in re.sub(r"(?s)<details>.*?</details>", "", page)
    as_json = rack3.get("/caused", variables={"HTTP_ACCEPT": "application/json"})
    assert '"summary": "ArgumentError: outer"' in as_json.text


def test_a_copy_that_the_app_forks_answers_no_request_and_runs_no_hook(rack2: Process) -> None:
    assert lines(rack2, "/copies") == ["0", "3"]
    assert "at exit" not in rack2.output.text()


# The process


def test_the_stacks_of_a_process_that_waits_say_for_what(apps: Apps) -> None:
    preloader = apps.load(threads="3", backtrace_signal="12")
    worker = preloader.fork()
    wait_for_stacks(preloader, "main: waits until another worker is needed")
    with worker.group.client().connect():
        worker.group.wait_for(lambda group: group.slot(0).running)
        threads = ["request: waits for its next request"] * 2 + ["request: waits for the head of a request"]
        wait_for_stacks(worker, "main: waits for the threads that serve requests", *threads)


def test_an_app_hears_of_the_life_of_its_workers(apps: Apps) -> None:
    preloader = apps.load(threads="2")
    first, second = preloader.fork(), preloader.fork()
    assert first.get("/random").text != second.get("/random").text
    first.retire()
    first.wait_for_end()
    log = first.output.wait_for_end().splitlines()
    assert log[:3] == ["started, forked: true", "credentials: [nil, nil]", "signal handlers"]
    assert sorted(log[3:]) == ["at exit", "thread request-1", "thread request-2"]
