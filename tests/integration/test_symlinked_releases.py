"""Releases behind a symbolic link that is switched, as deploy tools do it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.applications import AppFolder
from support.deployment import Deployment
from support.serving import CheckedHttpd
from support.status import wait_for_workers
from support.waiting import eventually, remains_true


@pytest.fixture
def deployment(httpd: CheckedHttpd) -> Deployment:
    found = Deployment(httpd)
    found.switch(found.make(1))
    httpd.site(document_root=found.current / "public")
    httpd.start()
    assert httpd.get("/").text == "release 1"
    return found


def wait_for(httpd: CheckedHttpd, number: int) -> None:
    eventually(lambda: httpd.get("/").text == f"release {number}", f"release {number}")


def wait_for_only(httpd: CheckedHttpd, number: int) -> None:
    """And for the end of the old worker, which may take a request until it is told to go."""
    wait_for(httpd, number)
    wait_for_workers(httpd, 1)


def test_switching_the_link_and_touching_through_it_brings_the_new_release(
    httpd: CheckedHttpd, deployment: Deployment
) -> None:
    deployment.switch(deployment.make(2))
    (deployment.current / "tmp" / "restart.txt").touch()
    wait_for(httpd, 2)


def test_touching_in_the_real_folder_restarts_too(httpd: CheckedHttpd, deployment: Deployment) -> None:
    real = deployment.current.resolve()
    (real / "release.txt").write_text("release 7")
    (real / "tmp" / "restart.txt").touch()
    wait_for(httpd, 7)


def test_the_new_processes_run_in_the_real_folder_of_the_new_release(
    httpd: CheckedHttpd, deployment: Deployment
) -> None:
    second = deployment.make(2)
    deployment.switch(second)
    (deployment.current / "tmp" / "restart.txt").touch()
    wait_for_only(httpd, 2)
    assert Path(httpd.get("/cwd").text).resolve() == second.root


def test_ten_releases_with_the_old_ones_pruned(httpd: CheckedHttpd, deployment: Deployment) -> None:
    for number in range(2, 11):
        app = deployment.make(number)
        deployment.switch(app)
        (deployment.current / "tmp" / "restart.txt").touch()
        wait_for(httpd, number)
        if number > 2:
            shutil.rmtree(app.root.with_name(str(number - 2)))
    wait_for_only(httpd, 10)
    assert httpd.get("/root").text.endswith(("/10", "/current"))


def test_a_release_pruned_under_a_running_app_does_not_stop_it(httpd: CheckedHttpd, deployment: Deployment) -> None:
    first = deployment.current.resolve()
    deployment.switch(deployment.make(2))
    wait_for_only(httpd, 2)
    shutil.rmtree(first)
    remains_true(lambda: httpd.get("/").text == "release 2", "the second release serves", 0.5)


def test_rolling_back_brings_the_old_release(httpd: CheckedHttpd, deployment: Deployment) -> None:
    first = AppFolder(deployment.current.resolve(), "nobody")
    deployment.switch(deployment.make(2))
    (deployment.current / "tmp" / "restart.txt").touch()
    wait_for(httpd, 2)
    deployment.switch(first)
    (deployment.current / "tmp" / "restart.txt").touch()
    wait_for(httpd, 1)
