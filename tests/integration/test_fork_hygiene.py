"""What an import leaves that forks cannot share: said once, in the site's log, the app's log and in status."""

from __future__ import annotations

import os
import signal

import pytest

from support.applications import AppFolder, AppFolders
from support.serving import CheckedHttpd
from support.status import group, wait_for_new_spawner, wait_for_workers
from support.waiting import eventually

THREADED = """\
import threading
threading.Thread(target=threading.Event().wait, name="the-apps-poller", daemon=True).start()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]
"""
WARNING = "the thread 'the-apps-poller', which runs "


@pytest.fixture
def app(apps: AppFolders, httpd: CheckedHttpd) -> AppFolder:
    app = apps.create(name="threaded")
    app.write("passenger_wsgi.py", THREADED)
    httpd.logs.allow("JS3011")
    httpd.logs.allow("the-apps-poller")
    return app


def serve(httpd: CheckedHttpd, app: AppFolder, body: str = "") -> None:
    httpd.site(document_root=app.public, body=body)
    httpd.start()
    assert httpd.get("/").text == "served"


def test_a_warning_names_file_and_line_in_the_sites_log(httpd: CheckedHttpd, app: AppFolder) -> None:
    serve(httpd, app)
    line = httpd.logs.wait_for(WARNING, "site.example.log")
    assert "JS3011: " in line
    assert f"started during the import at {app.root}/passenger_wsgi.py:2. The workers do not have it" in line
    assert line.endswith(" If it is meant to be so: PassengerKnownImportWarnings thread:the-apps-poller")
    assert " See docs/preloading.md#threads." in line


def test_a_warning_is_said_in_the_sites_log_alone(httpd: CheckedHttpd, app: AppFolder) -> None:
    log = app.write("own.log", "")
    serve(httpd, app, f'PassengerAppLogFile "{log}"')
    httpd.logs.wait_for(WARNING, "site.example.log")
    assert httpd.logs.count(WARNING, "site.example.log") == 1
    assert httpd.logs.count(WARNING) == 0
    assert WARNING not in log.read_text()


def restart(httpd: CheckedHttpd, app: AppFolder, change: str = "") -> None:
    """Restart the app; return when all workers are of the new release."""
    if change:
        app.write("passenger_wsgi.py", change)
    ended = httpd.logs.count("JS3510")
    app.touch_restart()
    eventually(lambda: httpd.logs.count("JS3510") > ended, "the end of the restart")


def test_a_warning_is_said_once_until_it_changes(httpd: CheckedHttpd, app: AppFolder) -> None:
    serve(httpd, app, "PassengerMinInstances 4")
    wait_for_workers(httpd, 4)
    assert httpd.logs.count(WARNING, "site.example.log") == 1
    restart(httpd, app)
    assert httpd.logs.count(WARNING, "site.example.log") == 1
    restart(httpd, app, "\n" + THREADED)
    eventually(lambda: httpd.logs.count(WARNING, "site.example.log") == 2, "the warning with another line")
    restart(httpd, app, "\n".join(THREADED.split("\n")[2:]))
    assert group(httpd)["warnings"] == []
    restart(httpd, app, THREADED)
    eventually(lambda: httpd.logs.count(WARNING, "site.example.log") == 3, "the warning that has come back")


def test_what_the_operator_knows_is_not_said(httpd: CheckedHttpd, app: AppFolder) -> None:
    serve(httpd, app, 'PassengerKnownImportWarnings "module:* thread:the-apps-*"')
    assert group(httpd)["warnings"] == []
    (known,) = group(httpd)["known_warnings"]
    assert known.startswith("thread:the-apps-poller " + WARNING)
    assert httpd.logs.count(WARNING, "site.example.log") == 0


def test_status_has_the_warnings_still_when_the_spawner_was_killed(httpd: CheckedHttpd, app: AppFolder) -> None:
    serve(httpd, app)
    warnings = group(httpd)["warnings"]
    assert len(warnings) == 1
    spawner = httpd.spawner_pid()
    httpd.logs.expect("JS1025")
    os.kill(spawner, signal.SIGKILL)
    wait_for_new_spawner(httpd, spawner)
    eventually(lambda: group(httpd), "its status")
    assert group(httpd)["warnings"] == warnings
    restart(httpd, app)
    assert group(httpd)["warnings"] == warnings
    assert httpd.logs.count(WARNING, "site.example.log") == 1


def test_direct_spawning_shares_nothing_and_warns_of_nothing(httpd: CheckedHttpd, app: AppFolder) -> None:
    serve(httpd, app, "PassengerSpawnMethod direct")
    assert group(httpd)["warnings"] == []
    assert httpd.logs.count(WARNING, "site.example.log") == 0


RANDOM = """\
import ctypes, os, random
libc = ctypes.CDLL(None)
libc.srand(1)
random.seed(1)
def after_fork():
    with open(os.path.join("events", "drawn-%d" % os.getpid()), "w") as file:
        file.write("%d %d" % (libc.rand(), random.getrandbits(60)))
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]
"""


def test_four_workers_draw_four_sequences(httpd: CheckedHttpd, apps: AppFolders) -> None:
    app = apps.create(name="random")
    app.write("passenger_wsgi.py", RANDOM)
    serve(httpd, app, "PassengerMinInstances 4")
    wait_for_workers(httpd, 4)
    drawn = [file.read_text().split() for file in app.events.glob("drawn-*")]
    assert len(drawn) == 4
    assert [len(set(column)) for column in zip(*drawn)] == [4, 4]
