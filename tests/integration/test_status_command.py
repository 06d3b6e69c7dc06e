"""jumpseat status: what runs, for people and for programs."""

from __future__ import annotations

import json
import time

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.paths import path
from support.serving import CheckedHttpd
from support.status import group, run_command, status, wait_for_workers, workers
from support.waiting import eventually


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.site(document_root=probe.public)
    httpd.start()
    assert httpd.get("/").status == 200
    return httpd


def test_it_names_the_app_and_the_pid_of_its_worker(server: CheckedHttpd, probe: AppFolder) -> None:
    pid = server.get("/pid").text
    answer = run_command(server, "status")
    assert answer.returncode == 0, answer.stderr
    assert str(probe.root) in answer.stdout
    assert pid in answer.stdout


def test_passenger_status_says_the_same(server: CheckedHttpd, probe: AppFolder) -> None:
    answer = run_command(server, program="passenger-status")
    assert answer.returncode == 0, answer.stderr
    assert str(probe.root) in answer.stdout


def test_the_instance_is_described(server: CheckedHttpd) -> None:
    told = status(server)["instance"]
    assert (told["httpd_pid"], told["spawner_pid"]) == (server.pid, server.spawner_pid())
    assert (told["server_root"], told["server_software"].startswith("Apache")) == (str(server.folder), True)


def test_the_group_is_described(server: CheckedHttpd, probe: AppFolder) -> None:
    told = group(server)
    assert (told["name"], told["app_root"]) == (f"{probe.root} (production)", str(probe.root))
    assert (told["state"], told["app_type"], told["startup_file"]) == ("serving", "wsgi", "passenger_wsgi.py")


def test_the_requests_of_a_worker_are_counted(server: CheckedHttpd) -> None:
    eventually(lambda: workers(server)[0]["requests"] == 1, "the first request")
    for _ in range(7):
        server.get("/")
    eventually(lambda: workers(server)[0]["requests"] == 8, "seven requests more")


def test_a_worker_with_a_request_is_busy(server: CheckedHttpd, probe: AppFolder) -> None:
    held = Background(lambda: server.get(path("/hold", gate="busy", name="it")))
    pid = int(probe.wait_for_event("holding-it"))
    assert {worker["pid"]: worker["busy"] for worker in workers(server)}[pid] is True
    probe.open_gate("busy")
    held.result()
    eventually(lambda: not any(worker["busy"] for worker in workers(server)), "idle workers")


def test_uptime_and_memory_of_a_worker_are_told(server: CheckedHttpd) -> None:
    worker = wait_for_workers(server, 1)[0]
    assert 0 <= worker["uptime"] < 60
    assert 1 << 20 < worker["memory"]["rss"] < 1 << 29


def test_times_are_unix_times(server: CheckedHttpd) -> None:
    assert abs(status(server)["instance"]["started"] - time.time()) < 60


def test_a_restart_counts_up_the_generation(server: CheckedHttpd, probe: AppFolder) -> None:
    before = group(server)["generation"]
    probe.touch_restart()
    eventually(lambda: group(server)["generation"] == before + 1, "the next generation")


def test_without_a_server_it_says_so_and_fails(server: CheckedHttpd) -> None:
    server.stop()
    answer = run_command(server, "status")
    assert answer.returncode == 1
    assert answer.stderr.strip()
    assert "Traceback" not in answer.stderr


@pytest.mark.needs_root
def test_another_user_sees_only_the_apps_that_run_as_them(server: CheckedHttpd, apps: AppFolders) -> None:
    mine = apps.create("probe", "mine", owner="daemon")
    server.site("mine.example", mine.public)
    server.graceful()
    assert server.checks is not None
    server.checks.remember_descriptors()
    assert server.get("/", "mine.example").status == 200
    names = names_seen_by(server, "daemon")
    assert names == [f"{mine.root} (production)"]


def names_seen_by(server: CheckedHttpd, user: str) -> list[str]:
    """Ask the admin socket as that user; the command itself may lie where they cannot read."""
    import subprocess

    script = (
        "import json,socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
        's.sendall(b\'{"command": "status"}\\n\'); print(s.makefile().readline())'
    )
    answer = subprocess.run(
        ["/usr/bin/python3", "-c", script, str(server.instance_folder() / "admin.sock")],
        user=user,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert answer.returncode == 0, answer.stderr
    return [one["name"] for one in json.loads(answer.stdout)["groups"]]


def read_anew(server: CheckedHttpd) -> dict[str, bool]:
    """After a graceful restart that the spawner has heard of: which apps are configured, by root."""
    epoch = status(server)["instance"]["epoch"]
    server.graceful()
    eventually(lambda: status(server)["instance"]["epoch"] > epoch, "the configuration to be in force")
    return {one["app_root"]: one["configured"] for one in status(server)["groups"]}


def test_an_app_that_nobody_asks_for_stays_configured_as_long_as_its_virtual_host(
    server: CheckedHttpd, probe: AppFolder, apps: AppFolders
) -> None:
    other = apps.create("probe", name="other")
    site = server.site("other.example", document_root=other.public)
    read_anew(server)
    assert server.get("/", host="other.example").status == 200
    both = {str(probe.root): True, str(other.root): True}
    assert read_anew(server) == both
    assert read_anew(server) == both
    server.configuration.sites.remove(site)
    assert read_anew(server) == {**both, str(other.root): False}
    assert "no longer configured: ends when idle" in run_command(server, "status").stdout
