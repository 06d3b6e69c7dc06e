"""File descriptors: the spawner takes as many as it may, apps have what httpd had, and running out is survived."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import Iterator

import psutil
import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.serving import CheckedHttpd
from support.waiting import eventually, remains_true

SHOWS_LIMITS = """\
import resource

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["{} {}".format(*resource.getrlimit(resource.RLIMIT_NOFILE)).encode()]
"""


@contextlib.contextmanager
def soft_limit(pid: int, soft: int) -> Iterator[None]:
    """A process may have so many descriptors for a while."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def held(pid: int) -> int:
    """The first number that is above all descriptors which a process has."""
    return max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1


@pytest.mark.parametrize("shell", ["on", "off"])
def test_apps_have_the_soft_limit_that_httpd_had_and_the_spawner_has_more(
    httpd: CheckedHttpd, apps: AppFolders, shell: str
) -> None:
    httpd.site(
        document_root=apps.create(entry=SHOWS_LIMITS).public, body=f"PassengerLoadShellEnvvars {shell}"
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with soft_limit(os.getpid(), 900):
        httpd.start()
    assert httpd.get("/").text == f"900 {hard}"
    assert resource.prlimit(httpd.spawner_pid(), resource.RLIMIT_NOFILE)[0] == hard


@pytest.mark.parametrize("method", ["smart", "direct"])
def test_a_start_waits_until_there_are_descriptors(httpd: CheckedHttpd, probe: AppFolder, method: str) -> None:
    httpd.logs.expect("JS3106: no file descriptors left: the spawner has none")
    httpd.site(document_root=probe.public, body=f"PassengerSpawnMethod {method}")
    httpd.start()
    httpd.logs.wait_for("JS3045: configuration 1 is in force")  # a spawner that is still opening needs descriptors
    spawner = httpd.spawner_pid()
    with soft_limit(spawner, held(spawner) + 8):
        waiting = Background(lambda: httpd.get("/"))
        httpd.logs.wait_for("JS3106")
        remains_true(lambda: not waiting.done, "the request waits", 0.5)
    assert waiting.result().status == 200
    httpd.logs.wait_for("JS3105: file descriptors are free again")
    assert httpd.logs.count("JS3106") == 1


def test_a_fork_waits_until_there_are_descriptors(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.expect("JS3106")
    httpd.logs.allow("JS3503")
    httpd.site(document_root=probe.public)
    httpd.start()
    first = int(httpd.get("/pid").text)
    spawner = httpd.spawner_pid()
    with soft_limit(spawner, held(spawner)):
        os.kill(first, 9)
        waiting = Background(lambda: httpd.get("/pid"))
        httpd.logs.wait_for("JS3106")
    assert int(waiting.result().text) != first


def test_requests_of_workers_that_run_need_none(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.allow("JS3106")
    httpd.site(document_root=probe.public)
    httpd.start()
    pid = httpd.get("/pid").text
    spawner = httpd.spawner_pid()
    with soft_limit(spawner, 3):
        assert [httpd.get("/pid").text for _ in range(20)] == [pid] * 20


def test_a_registration_waits_until_there_are_descriptors_and_waiting_costs_nothing(
    httpd: CheckedHttpd, probe: AppFolder
) -> None:
    httpd.logs.expect("JS3106")
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.logs.wait_for("JS3045: configuration 1 is in force")  # as above
    spawner = psutil.Process(httpd.spawner_pid())
    with soft_limit(spawner.pid, 3):
        waiting = Background(lambda: httpd.get("/"))
        httpd.logs.wait_for("JS3106")
        before = sum(spawner.cpu_times()[:2])
        remains_true(lambda: not waiting.done, "the request waits", 1.5)
        assert sum(spawner.cpu_times()[:2]) - before < 0.5
    assert waiting.result().status == 200


def test_a_configuration_waits_until_there_are_descriptors(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.expect("JS3106")
    httpd.site(document_root=probe.public)
    httpd.start()
    pid = httpd.get("/pid").text
    spawner = httpd.spawner_pid()
    with soft_limit(spawner, 3):
        httpd.graceful()
        httpd.logs.wait_for("JS3106")
    httpd.logs.wait_for("JS3045: configuration 2 is in force")
    assert httpd.get("/pid").text == pid


def test_a_worker_is_not_taken_for_dead_because_nobody_can_look(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.allow("JS3106")
    httpd.site(document_root=probe.public)
    httpd.start()
    pid = httpd.get("/pid").text
    spawner = httpd.spawner_pid()
    with soft_limit(spawner, 3):
        remains_true(lambda: httpd.get("/pid").text == pid, "the same worker", 1.5)
    eventually(lambda: httpd.get("/pid").text == pid, "the same worker")
