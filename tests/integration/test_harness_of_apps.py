"""The checks that look at our own processes, each proved by seeding what it looks for."""

from __future__ import annotations

import signal

from support.applications import AppFolder
from support.checks import Checks
from support.descriptors import open_descriptors
from support.httpd import Httpd
from support.serving import CheckedHttpd
from support.waiting import eventually


def start(httpd: CheckedHttpd, probe: AppFolder) -> Checks:
    """Start without the checks of the fixture, so that what a test seeds does not fail the test itself."""
    httpd.site(document_root=probe.public)
    Httpd.start(httpd)
    assert httpd.get("/").status == 200
    checks = Checks(httpd)
    checks.patience = 1.0
    return checks


def test_a_server_with_an_app_passes_all_checks(httpd: CheckedHttpd, probe: AppFolder) -> None:
    assert start(httpd, probe).final() == []


def test_descriptors_that_the_spawner_has_kept_are_found(httpd: CheckedHttpd, probe: AppFolder) -> None:
    """Many connections to its admin socket stand for any that it would keep."""
    import socket

    checks = start(httpd, probe)
    held = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    for connection in held:
        connection.connect(str(httpd.instance_folder() / "admin.sock"))
    spawner = httpd.spawner_pid()
    eventually(lambda: open_descriptors(spawner)["socket"] > 20, "the spawner to accept the connections")
    found = checks.between_tests()
    for connection in held:
        connection.close()
    assert any(line.startswith("the spawner holds more descriptors: socket:") for line in found), found


def test_an_app_process_that_does_not_end_with_httpd_is_found(httpd: CheckedHttpd, probe: AppFolder) -> None:
    checks = start(httpd, probe)
    httpd.stop_deadline = 3.0
    worker = int(httpd.get("/pid").text)
    stopped = next(process for process in httpd.app_processes() if process.pid == worker)
    stopped.send_signal(signal.SIGSTOP)
    spawner = next(process for process in httpd.processes() if process.pid == httpd.spawner_pid())
    spawner.send_signal(signal.SIGKILL)  # it would end the worker by force
    httpd.process and httpd.process.send(signal.SIGKILL)
    found = checks.final()
    assert any("stray process: " in line and str(worker) in line for line in found), found
