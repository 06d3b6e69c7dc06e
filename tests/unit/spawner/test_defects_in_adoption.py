"""A defect of ours while apps are taken over costs the app that it concerns its processes, and nobody anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from spawner.system.linux import process_exists
from tests.unit.spawner import driver
from tests.unit.spawner.driver import eventually, request, running, write_app

ALL = """
import spawner.daemon.daemon
def adopt(*_):
    raise KeyError("defect")
spawner.daemon.daemon.adopt = adopt
"""
ONE = """
from spawner.daemon import recovery
real = recovery._adopt_group
def adopt_group(world, carrier, found):
    adopted = real(world, carrier, found)
    if found.registration.key == "bad":
        raise KeyError("defect")
    return adopted
recovery._adopt_group = adopt_group
"""


def test_httpd_has_its_registration_socket_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_PROGRAM", ALL + driver._PROGRAM)
    with running(tmp_path) as httpd:
        assert b"hello" in request(httpd.register(write_app(tmp_path / "app")))
        assert "JS3112" in httpd.log()


def test_other_apps_are_taken_over_and_the_one_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_PROGRAM", ONE + driver._PROGRAM)
    with running(tmp_path) as httpd:
        app = write_app(tmp_path / "app")
        before = {key: request(httpd.register(app, key)) for key in ("good", "bad")}
        old = {process["pid"] for process in httpd.processes("bad")}
        httpd.kill_spawner()
        httpd.start()
        httpd.configure()
        assert "JS3113" in httpd.log()
        assert request(httpd.register(app, "good")) == before["good"]
        assert request(httpd.register(app, "bad")) != before["bad"]
        eventually(lambda: not [pid for pid in old if process_exists(pid)], "the end of the old processes")
