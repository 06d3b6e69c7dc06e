"""restart.error.txt: whoever deploys finds beside restart.txt why the release did not come up."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from support.applications import AppFolder, AppFolders
from support.serving import CheckedHttpd
from support.waiting import eventually


@pytest.fixture
def release(httpd: CheckedHttpd, apps: AppFolders) -> AppFolder:
    """A release that serves."""
    httpd.logs.allow("JS35")
    app = apps.create("release")
    httpd.site(document_root=app.public)
    httpd.start()
    assert httpd.get("/").status == 200
    return app


def error_file(release: AppFolder) -> Path:
    return release.restart_file.with_name("restart.error.txt")


def deploy(release: AppFolder, loading: str) -> None:
    release.write("loading.txt", loading)
    release.touch_restart()


def test_it_says_why_a_release_did_not_come_up(release: AppFolder) -> None:
    deploy(release, "raise")
    eventually(error_file(release).exists, "restart.error.txt")
    text = error_file(release).read_text()
    assert "reason: RuntimeError: release first <cannot> load\n" in text
    assert "Traceback (most recent call last)" in text
    assert "interpreter: " in text


def test_it_belongs_to_the_app_s_user(release: AppFolder) -> None:
    deploy(release, "raise")
    eventually(error_file(release).exists, "restart.error.txt")
    owner = pwd.getpwnam(release.owner).pw_uid if os.geteuid() == 0 else os.geteuid()
    assert error_file(release).stat().st_uid == owner


def test_a_release_that_comes_up_removes_it(release: AppFolder) -> None:
    deploy(release, "raise")
    eventually(error_file(release).exists, "restart.error.txt")
    deploy(release, "")
    eventually(lambda: not error_file(release).exists(), "its end")
    assert os.listdir(release.restart_file.parent) == ["restart.txt"]


def test_where_the_user_may_not_write_one_line_says_so(httpd: CheckedHttpd, release: AppFolder) -> None:
    if os.geteuid() == 0:
        os.chown(release.restart_file.parent, 0, 0)
    else:
        release.touch_restart()
        release.restart_file.parent.chmod(0o555)
    httpd.configuration.globals.append("PassengerLogLevel 4")
    httpd.graceful()
    httpd.logs.wait_for("JS3045: configuration 2 is in force")
    deploy(release, "raise")
    httpd.logs.wait_for("JS3110: restart.error.txt cannot be written as user")
    assert not error_file(release).exists()
    assert httpd.get("/").status == 200
