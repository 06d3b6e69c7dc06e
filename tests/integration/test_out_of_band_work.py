"""Out-of-band work through httpd: behind the response, in the worker that asked, while others serve."""

from __future__ import annotations

import pytest

from support.applications import AppFolder, AppFolders
from support.serving import CheckedHttpd
from support.status import wait_for_workers

ENTRY = """
    import os
    import time

    EVENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events")

    def report(name):
        with open(os.path.join(EVENTS, "%s-%d" % (name, os.getpid())), "w") as stream:
            stream.write(name)

    HOOK
    def application(environ, start_response):
        if environ["REQUEST_METHOD"] == "OOBW":
            report("called")
        headers = [("Content-Type", "text/plain")]
        if environ["PATH_INFO"] == "/header":
            headers.append(("!~Request-OOB-Work", "true"))
        elif environ["PATH_INFO"] == "/call":
            environ["passenger.request_oob_work"]()
        start_response("200 OK", headers)
        return [str(os.getpid()).encode()]
"""
HOOK = """def out_of_band_work():
        report("begun")
        while not os.path.exists(os.path.join(EVENTS, "gate-work")):
            time.sleep(0.005)
        report("done")
"""


@pytest.mark.parametrize("path", ["/call", "/header"])
def test_the_worker_that_asked_does_the_work_while_others_serve(
    httpd: CheckedHttpd, apps: AppFolders, path: str
) -> None:
    app = apps.create(entry=ENTRY.replace("HOOK", HOOK))
    httpd.site(document_root=app.public, body="PassengerMinInstances 2\nPassengerMaxInstances 2")
    httpd.start()
    httpd.get("/")
    wait_for_workers(httpd, 2)
    answer = httpd.get(path)
    assert [name for name, _ in answer.headers if "oob" in name.lower()] == []
    app.wait_for_event("begun-" + answer.text)
    served_by = {httpd.get("/").text for _ in range(5)}
    assert answer.text not in served_by
    app.open_gate("work")
    app.wait_for_event("done-" + answer.text)


def test_an_app_without_the_hook_gets_a_request_of_its_own_kind(httpd: CheckedHttpd, apps: AppFolders) -> None:
    app = apps.create(entry=ENTRY.replace("HOOK", ""))
    httpd.site(document_root=app.public, body="PassengerMinInstances 2\nPassengerMaxInstances 2")
    httpd.start()
    httpd.get("/")
    wait_for_workers(httpd, 2)
    pid = httpd.get("/call").text
    app.wait_for_event("called-" + pid)
    assert httpd.get("/").status == 200


def test_the_only_worker_is_stood_in_for(httpd: CheckedHttpd, apps: AppFolders) -> None:
    app: AppFolder = apps.create(entry=ENTRY.replace("HOOK", HOOK))
    httpd.site(document_root=app.public, body="PassengerMaxInstances 2")
    httpd.start()
    pid = httpd.get("/call").text
    app.wait_for_event("begun-" + pid)
    assert httpd.get("/").text != pid
    app.open_gate("work")
    app.wait_for_event("done-" + pid)
