"""Apps share the pool: one that hangs, floods or fails keeps no other one out."""

from __future__ import annotations

import time

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Answer
from support.serving import CheckedHttpd
from support.status import group, workers
from support.waiting import eventually


def site(httpd: CheckedHttpd, apps: AppFolders, name: str, source: str = "release", body: str = "") -> AppFolder:
    """An app at the host of its name."""
    app = apps.create(source, name=name)
    httpd.site(f"{name}.example", document_root=app.public, body=body)
    return app


def test_apps_that_hang_at_boot_keep_no_other_app_from_starting(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.logs.allow("JS")
    hanging = [site(httpd, apps, f"hangs{number}") for number in range(6)]
    for app in hanging:
        app.write("loading.txt", "gate")
    site(httpd, apps, "good")
    httpd.add("PassengerMaxPoolSize 20")
    httpd.start()
    waiting = [Background(lambda app=app: httpd.get("/", f"{app.root.name}.example")) for app in hanging]  # type: ignore[misc]
    began = time.monotonic()
    assert httpd.get("/", "good.example").status == 200
    assert time.monotonic() - began < 45
    for app in hanging:
        app.open_gate("load")
    assert [request.result().status for request in waiting] == [200] * 6


@pytest.mark.deadline(120)
def test_each_of_many_apps_is_served_in_a_small_pool(httpd: CheckedHttpd, apps: AppFolders) -> None:
    names = [f"app{number}" for number in range(8)]
    for name in names:
        site(httpd, apps, name)
    httpd.add("PassengerMaxPoolSize 2")
    httpd.start()
    for _ in range(2):
        assert [httpd.get("/", f"{name}.example").status for name in names] == [200] * 8


@pytest.mark.deadline(120)
def test_an_app_gets_a_place_though_another_one_is_in_requests_with_all_workers(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    hot = site(httpd, apps, "hot", "limited", "PassengerMinInstances 3")
    site(httpd, apps, "cold")
    httpd.add("PassengerMaxPoolSize 3")
    httpd.start()
    httpd.get("/", "hot.example")
    eventually(lambda: len(workers(httpd, "/hot")) == 3, "three workers")
    held: list[Background[Answer]] = [Background(lambda: httpd.get("/hold", "hot.example")) for _ in range(6)]
    hot.wait_for_event("holding")
    assert httpd.get("/", "cold.example").status == 200
    hot.open_gate("hold")
    assert [request.result().status for request in held] == [200] * 6


def test_an_app_that_keeps_failing_leaves_the_others_alone(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.logs.allow("JS")
    broken = site(httpd, apps, "broken")
    broken.write("loading.txt", "raise")
    site(httpd, apps, "good")
    httpd.start()
    flood = [Background(lambda: httpd.get("/", "broken.example")) for _ in range(20)]
    assert [httpd.get("/", "good.example").status for _ in range(50)] == [200] * 50
    assert {request.result().status for request in flood} == {500}
    assert len(broken.event_names()) < 6, "it is tried at ever longer intervals, not for every request"
    assert group(httpd, "/broken")["state"] == "failed"
