"""What lives through a graceful restart, and what happens when something is killed."""

from __future__ import annotations

import http.client
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Wire
from support.paths import path
from support.python_state import python_is_initialised
from support.serving import CheckedHttpd
from support.waiting import eventually, remains_true


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.site(document_root=probe.public)
    httpd.start()
    assert httpd.get("/").status == 200
    return httpd


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def app_pids(server: CheckedHttpd) -> set[int]:
    return {process.pid for process in server.app_processes()}


def httpd_children(server: CheckedHttpd) -> list[psutil.Process]:
    return server.children("apache2")


def wait_for_another_spawner(server: CheckedHttpd, old: int) -> int:
    """It may still be taking over what there is."""
    return eventually(lambda: server.spawner_pid() not in (0, old) and server.spawner_pid(), "another spawner")


def test_a_graceful_restart_keeps_the_spawner_and_all_app_processes(server: CheckedHttpd) -> None:
    before = (server.spawner_pid(), app_pids(server))
    server.graceful()
    assert server.get("/").status == 200
    assert (server.spawner_pid(), app_pids(server)) == before


def test_a_hard_restart_of_httpd_keeps_the_spawner_and_all_app_processes(server: CheckedHttpd) -> None:
    before = (server.spawner_pid(), app_pids(server))
    server.restart()
    assert server.get("/").status == 200
    assert (server.spawner_pid(), app_pids(server)) == before


def test_a_request_that_runs_during_a_graceful_restart_is_finished(server: CheckedHttpd, probe: AppFolder) -> None:
    held = Background(lambda: server.get(path("/hold", gate="graceful", name="it")))
    probe.wait_for_event("holding-it")
    server.graceful()
    assert server.get("/").status == 200
    probe.open_gate("graceful")
    assert held.result().status == 200


def test_a_stream_goes_on_through_a_graceful_restart(server: CheckedHttpd, probe: AppFolder) -> None:
    with Wire(server.port) as wire:
        wire.head("GET /stream?parts=3 HTTP/1.1")
        response = wire.open_answer()
        assert response.read1(100) == b"part 0\n"
        server.graceful()
        for number in (1, 2):
            probe.open_gate(str(number))
            assert response.read1(100) == b"part %d\n" % number


def test_a_site_that_a_graceful_restart_brings_is_served(server: CheckedHttpd, apps: AppFolders) -> None:
    other = apps.create("probe", "other")
    server.site("other.example", other.public)
    server.graceful()
    assert server.checks is not None
    server.checks.remember_descriptors()
    assert server.get("/", "other.example").status == 200


def test_options_that_a_graceful_restart_changes_restart_that_app_only(server: CheckedHttpd, apps: AppFolders) -> None:
    other = apps.create("probe", "other")
    server.site("other.example", other.public)
    server.graceful()
    assert server.checks is not None
    server.checks.remember_descriptors()
    before = {host: server.get("/pid", host).text for host in ("site.example", "other.example")}
    server.configuration.sites[
        1
    ].body = "PassengerMinInstances 2\nPassengerAppEnv production\nSetEnv ADDED yes\nPassengerLoadShellEnvvars off"
    server.graceful()
    eventually(
        lambda: server.get("/pid", "other.example").text != before["other.example"], "a restart of the other app"
    )
    assert server.get("/pid").text == before["site.example"]


def test_ten_graceful_restarts_leave_no_process_more(server: CheckedHttpd) -> None:
    before = len(server.processes())
    for _ in range(10):
        server.graceful()
    assert server.get("/").status == 200
    eventually(lambda: len(server.processes()) <= before, "old children of httpd to end")


def test_stopping_httpd_ends_everything(server: CheckedHttpd) -> None:
    pids = [process.pid for process in server.processes()]
    assert server.stop() == []
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_stopping_httpd_removes_the_instance_folder(server: CheckedHttpd) -> None:
    server.stop()
    assert list(server.run_folder.iterdir()) == []


def test_stopping_httpd_ends_everything_also_while_an_app_is_stuck(server: CheckedHttpd, probe: AppFolder) -> None:
    server.logs.allow("AH00045|JS")  # but not AH00046: no child has to be killed
    held = Background(lambda: server.get(path("/hold", gate="never", name="it")))
    probe.wait_for_event("holding-it")
    assert server.stop() == []
    with pytest.raises((OSError, http.client.HTTPException)):
        held.result()


def test_a_killed_spawner_is_replaced_while_the_apps_serve_on(server: CheckedHttpd) -> None:
    server.logs.allow("JS|AH0")
    old, workers = server.spawner_pid(), server.get("/pid").text
    kill(old)
    assert server.get("/pid").text == workers
    wait_for_another_spawner(server, old)
    assert server.get("/").status == 200


def test_a_cold_app_starts_after_the_spawner_was_killed(server: CheckedHttpd, apps: AppFolders) -> None:
    server.logs.allow("JS|AH0")
    other = apps.create("probe", "other")
    server.site("other.example", other.public)
    server.graceful()
    assert server.checks is not None
    server.checks.remember_descriptors()
    kill(server.spawner_pid())
    assert server.get("/", "other.example").status == 200


def test_the_spawner_killed_three_times_leaves_one_spawner_and_no_process_more(server: CheckedHttpd) -> None:
    server.logs.allow("JS|AH0")
    apps = app_pids(server)
    for _ in range(3):
        old = server.spawner_pid()
        kill(old)
        wait_for_another_spawner(server, old)
        assert server.get("/").status == 200
    assert len(app_pids(server)) <= len(apps) + 1


def test_everything_ends_when_httpds_parent_is_killed(server: CheckedHttpd) -> None:
    """httpd's own children are left to httpd's own habits: they end when their connection to the parent has gone."""
    spawner, pids = server.spawner_pid(), app_pids(server)
    children = httpd_children(server)
    kill(server.pid)
    eventually(lambda: not [pid for pid in {spawner, *pids} if psutil.pid_exists(pid)], "the end of all of ours", 20)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    eventually(lambda: not server.processes(), "the end of everything")


def test_no_socket_is_left_when_httpds_parent_is_killed(server: CheckedHttpd) -> None:
    children = httpd_children(server)
    kill(server.pid)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    eventually(lambda: not server.processes(), "the end of everything")
    assert list(server.run_folder.iterdir()) == []


def test_a_killed_child_of_httpd_costs_only_its_connections(server: CheckedHttpd) -> None:
    server.logs.allow("AH0005[12]|JS")
    before = app_pids(server)
    child = httpd_children(server)[0]
    kill(child.pid)
    eventually(lambda: [process for process in httpd_children(server) if process.pid != child.pid], "another child")
    assert server.get("/").status == 200
    assert app_pids(server) == before


def test_only_the_spawner_has_an_initialised_python(server: CheckedHttpd) -> None:
    assert python_is_initialised(server.spawner_pid())
    for process in [psutil.Process(server.pid), *httpd_children(server)]:
        assert not python_is_initialised(process.pid)


def test_after_graceful_restarts_still_only_the_spawner_has_an_initialised_python(server: CheckedHttpd) -> None:
    for _ in range(3):
        server.graceful()
    server.get("/")
    assert python_is_initialised(server.spawner_pid())
    for process in [psutil.Process(server.pid), *httpd_children(server)]:
        assert not python_is_initialised(process.pid)


def test_the_spawner_holds_none_of_httpds_listening_sockets(server: CheckedHttpd) -> None:
    listening = [connection for connection in psutil.Process(server.spawner_pid()).net_connections("inet")]
    assert listening == []


def test_no_app_process_holds_a_socket_of_httpd(server: CheckedHttpd) -> None:
    assert [connection for process in server.app_processes() for connection in process.net_connections("inet")] == []


def test_two_servers_on_one_machine_do_not_know_each_other(server: CheckedHttpd, make_httpd: object) -> None:
    other = make_httpd()  # type: ignore[operator]
    app = AppFolders(other.folder / "apps").create("probe")
    other.site(document_root=app.public)
    other.start()
    assert other.get("/").status == 200
    before = app_pids(server)
    other.stop()
    assert server.get("/").status == 200
    remains_true(lambda: app_pids(server) == before, "the first server's processes", 0.3)
