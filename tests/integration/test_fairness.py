"""Apps share the pool: one that hangs, floods or fails keeps no other one out."""

from __future__ import annotations

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Answer
from support.serving import CheckedHttpd
from support.status import group, workers
from support.waiting import eventually, remains_true


def site(httpd: CheckedHttpd, apps: AppFolders, name: str, source: str = "release", body: str = "") -> AppFolder:
    """An app at the host of its name."""
    app = apps.create(source, name=name)
    httpd.site(f"{name}.example", document_root=app.public, body=body)
    return app


@pytest.mark.deadline(120)
def test_an_app_that_hangs_at_boot_keeps_no_other_app_from_starting(httpd: CheckedHttpd, apps: AppFolders) -> None:
    hanging = site(httpd, apps, "hangs")
    hanging.write("loading.txt", "gate")
    site(httpd, apps, "good")
    (httpd.folder / "spawner.conf").write_text("[apps]\nparallel_starts = 1\n")
    httpd.add(f'PassengerSpawnerConfigFile "{httpd.folder}/spawner.conf"')
    httpd.start()
    waiting = Background(lambda: httpd.get("/", "hangs.example"))
    eventually(hanging.event_names, "its import")
    good = Background(lambda: httpd.get("/", "good.example"))
    remains_true(lambda: not good.done, "one import at a time", 2.0)
    assert good.result().status == 200, "a start that takes long does not count any more"
    assert not waiting.done
    hanging.open_gate("load")
    assert waiting.result().status == 200


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
    broken.check_pauses(1, 2, 5, 10, 30)  # it is tried at ever longer intervals, not for every request
    assert group(httpd, "/broken")["state"] == "failed"
