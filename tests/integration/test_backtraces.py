"""Where an app hangs: file and line, in Python and in C, at start and in a request."""

from __future__ import annotations

import json
import os
import re

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.serving import CheckedHttpd
from support.status import group, run_command, workers
from support.waiting import eventually

HANGS = """\
import os
import signal
import threading
import time

LOCK = threading.Lock()
LOCK.acquire()


def sleeping():
    time.sleep(600)


def looping():
    while True:
        pass


def locked():
    LOCK.acquire()


def in_threads():
    thread = threading.Thread(target=sleeping)
    thread.start()
    thread.join()


def deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleeping()


def application(environ, start_response):
    hang = environ["PATH_INFO"].strip("/")
    if hang:
        event = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events", hang)
        with open(event + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(event + ".new", event)
        globals()[hang]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
HANGS_AT_IMPORT = """\
import threading
import time

STARTED = threading.Event()


def wait_for_the_database():
    %s


wait_for_the_database()
"""


@pytest.fixture
def hanging(httpd: CheckedHttpd, apps: AppFolders) -> AppFolder:
    httpd.logs.allow(r"JS\d+|AH0004[56]")
    return apps.create(name="hangs", entry=HANGS)


def backtraces(httpd: CheckedHttpd, *arguments: str) -> list[dict[str, str]]:
    answer = run_command(httpd, "backtraces", "--json", *arguments)
    assert answer.returncode == 0, answer.stderr
    processes: list[dict[str, str]] = json.loads(answer.stdout)["processes"]
    return processes


def text_of(httpd: CheckedHttpd, pid: str) -> str:
    """The stacks of one process."""
    return next(one["text"] for one in backtraces(httpd) if str(one["pid"]) == pid)


def where(function: str) -> str:
    """A pattern for a frame in the first two lines of a function of HANGS: a loop is in either."""
    first = HANGS.splitlines().index(f"def {function}():") + 2
    return rf"line ({first}|{first + 1}) in {function}"


def calls(httpd: CheckedHttpd) -> dict[str, list[str]]:
    """What stands below the heads of the stacks, by the kind of process."""
    lines = {one["kind"]: one["text"].splitlines() for one in backtraces(httpd)}
    return {kind: [line for line in text if line.startswith("  ")] for kind, text in lines.items()}


@pytest.mark.parametrize("hang", ["sleeping", "locked", "looping"])
@pytest.mark.parametrize("method", ["smart", "direct"])
def test_a_worker_that_hangs_in_a_request_shows_where(
    httpd: CheckedHttpd, hanging: AppFolder, hang: str, method: str
) -> None:
    httpd.site(document_root=hanging.public, body=f"PassengerSpawnMethod {method}")
    httpd.start()
    Background(lambda: httpd.get(f"/{hang}"))
    pid = hanging.wait_for_event(hang)  # it is about to hang there
    # Nothing of the server's own is below.
    place = rf'File ".*/passenger_wsgi.py", {where(hang)}(?s:.*) in application\Z'
    eventually(lambda: re.search(place, text_of(httpd, pid)), lambda: text_of(httpd, pid))


def test_all_threads_are_shown_and_the_app_s_log_has_nothing_of_it(httpd: CheckedHttpd, hanging: AppFolder) -> None:
    httpd.site(document_root=hanging.public)
    httpd.start()
    Background(lambda: httpd.get("/in_threads"))
    pid = hanging.wait_for_event("in_threads")  # it is about to start them
    shown = r"in sleeping(?s:.*) in in_threads|in in_threads(?s:.*) in sleeping"
    eventually(lambda: re.search(shown, text_of(httpd, pid)), lambda: text_of(httpd, pid))
    assert "most recent call first" not in httpd.logs.text("site.example.log")


@pytest.mark.parametrize("threads", [1, 3])
def test_an_idle_worker_and_its_preloader_say_what_they_wait_for_and_serve_on(
    httpd: CheckedHttpd, hanging: AppFolder, threads: int
) -> None:
    model = f"PassengerConcurrencyModel thread\nPassengerThreadCount {threads}" if threads > 1 else ""
    httpd.site(document_root=hanging.public, body=model)
    httpd.start()
    pid = httpd.get("/").text
    waits = ["  (waits for its next request)"] * (threads + 1 if threads > 1 else 1)
    expected = {"preloader": ["  (waits until another worker is needed)"], "worker": waits}
    for _ in range(3):
        # The answer of a request comes before its worker has come back to where it waits.
        eventually(lambda: calls(httpd) == expected, "processes that wait")
    assert httpd.get("/").text == pid


@pytest.mark.parametrize(
    "statement", ["time.sleep(600)", "STARTED.wait()", "while True: pass"], ids=["C", "lock", "Python"]
)
@pytest.mark.parametrize("method", ["smart", "direct"])
def test_an_app_that_hangs_at_import_is_ended_with_file_and_line_in_log_status_and_page(
    httpd: CheckedHttpd, apps: AppFolders, method: str, statement: str
) -> None:
    httpd.logs.allow("JS35")
    app = apps.create(name="hangs", entry=HANGS_AT_IMPORT % statement)
    body = f"PassengerStartTimeout 4\nPassengerFriendlyErrorPages on\nPassengerSpawnMethod {method}"
    httpd.site(document_root=app.public, body=body)
    httpd.start()
    answer = httpd.get("/")
    assert answer.status == 500
    assert "line 8 in wait_for_the_database" in answer.text
    failure = group(httpd)["failure"]
    assert "PassengerStartTimeout" in failure["summary"]
    assert f'File "{app.root}/passenger_wsgi.py", line 8 in wait_for_the_database' in failure["detail"]
    assert "line 8 in wait_for_the_database" in httpd.logs.text() + httpd.logs.text("site.example.log")


@pytest.mark.parametrize("hang", ["sleeping", "locked", "looping", "deaf"])
def test_a_request_that_takes_too_long_leaves_the_stacks_in_the_log_before_its_worker_is_ended(
    httpd: CheckedHttpd, hanging: AppFolder, hang: str
) -> None:
    httpd.site(document_root=hanging.public, body="PassengerMaxRequestTime 1")
    httpd.start()
    late = Background(lambda: httpd.get(f"/{hang}"))
    pid = int(hanging.wait_for_event(hang))
    assert late.result().status == 504
    httpd.logs.wait_for(
        rf"JS3107: stacks of process {pid}: GET site.example/{hang} has taken longer than PassengerMaxRequestTime",
        "site.example.log",
    )
    function = "sleeping" if hang == "deaf" else hang
    httpd.logs.wait_for(where(function), "site.example.log")
    assert "/loaders/" not in httpd.logs.text("site.example.log")
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), "the worker's end")
    assert int(httpd.get("/").text) != pid
    assert str(pid) not in {str(worker["pid"]) for worker in workers(httpd)}
