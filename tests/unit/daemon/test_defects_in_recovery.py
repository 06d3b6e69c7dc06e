"""A defect of ours while apps are taken over costs the app that it concerns its processes, and nobody anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from spawner.system.linux import process_exists
from tests.unit.support import spawner_process
from tests.unit.support.spawner_process import eventually, request, running, write_app

ALL = """
from spawner.daemon.recovery import Recovery
def recover_all(self):
    raise KeyError("defect")
Recovery._recover_all = recover_all
"""
ONE = """
from spawner.daemon.recovery import Recovery
real = Recovery._recover_group
def recover_group(self, found):
    recovered = real(self, found)
    if found.registration.key == "bad":
        raise KeyError("defect")
    return recovered
Recovery._recover_group = recover_group
"""


def test_httpd_has_its_registration_socket_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawner_process, "_PROGRAM", ALL + spawner_process._PROGRAM)
    with running(tmp_path) as httpd:
        assert b"hello" in request(httpd.register(write_app(tmp_path / "app")))
        assert "JS3112" in httpd.log()


def test_other_apps_are_taken_over_and_the_one_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawner_process, "_PROGRAM", ONE + spawner_process._PROGRAM)
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
