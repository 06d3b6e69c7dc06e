"""What an app gets from being imported once and forked: hooks, memory that stays shared, warnings."""

from __future__ import annotations

from typing import Any

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Answer
from support.paths import path
from support.serving import CheckedHttpd
from support.status import wait_for_workers
from support.waiting import eventually


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.site(document_root=probe.public, body="PassengerMinInstances 2")
    httpd.start()
    httpd.get("/")
    wait_for_workers(httpd, 2)
    return httpd


def two_workers(server: CheckedHttpd, probe: AppFolder) -> list[Any]:
    """What each of the two workers says of itself: the first is held while the second is asked."""
    held: Background[Answer] = Background(lambda: server.get(path("/hold", gate="second", name="first")))
    holding = int(probe.wait_for_event("holding-first"))
    second = server.get("/preloading").json()
    probe.open_gate("second")
    held.result()
    told = eventually(
        lambda: next(
            (one for one in (server.get("/preloading").json() for _ in range(5)) if one["pid"] == holding), None
        ),
        "the first worker to answer",
    )
    return [told, second]


def test_after_fork_is_called_once_in_each_worker_and_not_in_the_preloader(
    server: CheckedHttpd, probe: AppFolder
) -> None:
    pids = {worker["pid"] for worker in wait_for_workers(server, 2)}
    assert {name for name in probe.event_names() if name.startswith("after-fork")} == {
        f"after-fork-{pid}" for pid in pids
    }
    assert [len(probe.wait_for_event(f"after-fork-{pid}").splitlines()) for pid in pids] == [1, 1]


def test_before_exit_is_called_in_a_worker_that_retires(server: CheckedHttpd, probe: AppFolder) -> None:
    pids = [worker["pid"] for worker in wait_for_workers(server, 2)]
    probe.touch_restart()
    for pid in pids:
        probe.wait_for_event(f"before-exit-{pid}")


def test_before_exit_is_called_when_httpd_stops(server: CheckedHttpd, probe: AppFolder) -> None:
    pids = [worker["pid"] for worker in wait_for_workers(server, 2)]
    server.stop()
    assert [f"before-exit-{pid}" in probe.event_names() for pid in pids] == [True, True]


def test_two_workers_do_not_draw_the_same_random_numbers(server: CheckedHttpd, probe: AppFolder) -> None:
    first, second = two_workers(server, probe)
    assert first["loaded by"] == second["loaded by"]
    assert first["random"] != second["random"]


def test_the_imported_objects_are_left_alone_by_the_garbage_collector(server: CheckedHttpd) -> None:
    told = server.get("/preloading").json()
    assert told["frozen"] > 1000
    assert told["collecting"] is True


def test_a_class_of_the_entry_file_can_be_pickled(server: CheckedHttpd) -> None:
    assert server.get("/picklable").text == "passenger_wsgi"


PLAIN = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"plain"]
"""


def test_a_thread_that_was_started_at_import_is_named_in_a_warning(httpd: CheckedHttpd, apps: AppFolders) -> None:
    entry = """
        import threading
        threading.Thread(target=threading.Event().wait, name="the-apps-poller", daemon=True).start()
        """
    app = apps.create(name="threaded", entry=PLAIN)
    app.write("passenger_wsgi.py", "\n".join(line.strip() for line in entry.splitlines()) + PLAIN)
    httpd.logs.expect("the-apps-poller")
    httpd.site(document_root=app.public)
    httpd.start()
    assert httpd.get("/").text == "plain"


def test_a_connection_that_was_opened_at_import_is_named_in_a_warning(httpd: CheckedHttpd, apps: AppFolders) -> None:
    entry = f"import socket\nCONNECTION = socket.create_connection(('127.0.0.1', {httpd.port}))\n"
    app = apps.create(name="connected")
    app.write("passenger_wsgi.py", entry + PLAIN)
    httpd.logs.expect(f"127.0.0.1:{httpd.port}|:{httpd.port}")
    httpd.site(document_root=app.public)
    httpd.start()
    assert httpd.get("/").text == "plain"


def test_what_an_app_prints_while_it_is_imported_is_in_the_log(httpd: CheckedHttpd, apps: AppFolders) -> None:
    app = apps.create(name="printing")
    app.write("passenger_wsgi.py", "print('said at import')\n" + PLAIN)
    httpd.site(document_root=app.public)
    httpd.start()
    assert httpd.get("/").text == "plain"
    httpd.logs.wait_for("said at import", "site.example.log")


def test_an_app_may_replace_itself_by_the_interpreter_of_its_own_environment(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    """Entry files on shared hosts do this, to choose an interpreter where they cannot configure one."""
    app = apps.create(name="replacing")
    entry = """
        import os, sys
        if os.environ.get("REPLACED") is None:
            os.environ["REPLACED"] = "yes"
            os.execl("/usr/bin/python3", "/usr/bin/python3", *sys.argv)
        """
    app.write("passenger_wsgi.py", "\n".join(line[8:] for line in entry.splitlines()) + PLAIN)
    httpd.logs.allow("JS")
    httpd.site(document_root=app.public)
    httpd.start()
    assert httpd.get("/").text == "plain"
