"""tmp/always_restart.txt: each request sees the code of its moment; no process is kept."""

from __future__ import annotations

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.serving import CheckedHttpd
from support.status import group, wait_for_workers
from support.waiting import eventually


@pytest.fixture
def app(apps: AppFolders) -> AppFolder:
    return apps.create("release")


def start(httpd: CheckedHttpd, app: AppFolder) -> None:
    httpd.site(document_root=app.public)
    httpd.start()


def test_nothing_is_kept_after_a_request(httpd: CheckedHttpd, app: AppFolder) -> None:
    app.write("tmp/always_restart.txt", "")
    start(httpd, app)
    assert httpd.get("/").status == 200
    eventually(lambda: group(httpd)["always_restart"], "the file is seen")
    assert httpd.get("/").status == 200

    def cold() -> bool:
        told = group(httpd)
        return (told["processes"], told["state"]) == ([], "cold")

    eventually(cold, "no process is kept")


def test_many_requests_at_a_time_are_all_served(httpd: CheckedHttpd, app: AppFolder) -> None:
    app.write("tmp/always_restart.txt", "")
    start(httpd, app)
    requests = [Background(lambda: httpd.get("/pid")) for _ in range(8)]
    answers = [request.result() for request in requests]
    assert [answer.status for answer in answers] == [200] * 8


def test_the_file_may_come_and_go_while_the_app_serves(httpd: CheckedHttpd, app: AppFolder) -> None:
    start(httpd, app)
    kept = httpd.get("/pid").text
    file = app.write("tmp/always_restart.txt", "")
    eventually(lambda: group(httpd)["always_restart"], "the file is seen")
    assert httpd.get("/pid").text != kept
    file.unlink()
    eventually(lambda: not group(httpd)["always_restart"], "the file is missed")
    eventually(lambda: httpd.get("/pid").text == httpd.get("/pid").text, "one process is kept")
    wait_for_workers(httpd, 1)


def test_code_that_does_not_load_is_a_500_and_the_next_request_sees_the_mended_code(
    httpd: CheckedHttpd, app: AppFolder
) -> None:
    httpd.logs.allow("JS")
    app.write("tmp/always_restart.txt", "")
    start(httpd, app)
    assert httpd.get("/").status == 200
    eventually(lambda: group(httpd)["always_restart"], "the file is seen")
    app.write("loading.txt", "raise")
    eventually(lambda: httpd.get("/").status == 500, "the broken code")
    app.write("loading.txt", "")
    assert httpd.get("/").status == 200
