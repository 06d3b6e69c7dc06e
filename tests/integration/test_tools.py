"""The other commands against a real httpd, and who may use them."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any
from xml.etree import ElementTree

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.commands import OnTerminal, run_as, told
from support.paths import path
from support.serving import CheckedHttpd
from support.status import group, run_command, wait_for_new_spawner, wait_for_workers, workers
from support.waiting import eventually


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.site(document_root=probe.public)
    httpd.start()
    assert httpd.get("/").status == 200
    return httpd


def key(app: AppFolder) -> str:
    return f"{app.root} (production)"


# Requests and backtraces


def test_a_request_in_flight_is_listed_without_its_query(server: CheckedHttpd, probe: AppFolder) -> None:
    held = Background(lambda: server.get(path("/hold", gate="g", name="it", secret="s3cret")))
    pid = int(probe.wait_for_event("holding-it"))
    (request,) = told(server, "requests", "--json")["requests"]
    known = {name: request[name] for name in ("group", "pid", "method", "host", "path", "deadline_in")}
    assert known == {
        "group": key(probe),
        "pid": pid,
        "method": "GET",
        "host": "site.example",
        "path": "/hold",
        "deadline_in": None,
    }
    assert 0 <= request["age"] < 30
    page = run_command(server, "requests", str(probe.root)).stdout
    assert "/hold" in page
    assert "s3cret" not in page
    probe.open_gate("g")
    held.result()
    eventually(lambda: told(server, "requests", "--json")["requests"] == [], "no request in flight")


def test_a_request_with_a_limit_tells_the_time_that_is_left(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public, body="PassengerMaxRequestTime 50")
    httpd.start()
    held = Background(lambda: httpd.get(path("/hold", gate="g", name="it")))
    probe.wait_for_event("holding-it")
    (request,) = told(httpd, "requests", "--json")["requests"]
    assert 10 < request["deadline_in"] <= 50
    probe.open_gate("g")
    held.result()


def test_each_thread_s_request_is_listed(httpd: CheckedHttpd, probe: AppFolder) -> None:
    body = "PassengerConcurrencyModel thread\nPassengerThreadCount 3\nPassengerMaxInstances 1"
    httpd.site(document_root=probe.public, body=body)
    httpd.start()
    held = [Background(lambda name=name: httpd.get(path("/hold", gate="g", name=name))) for name in "abc"]  # type: ignore[misc]
    for name in "abc":
        probe.wait_for_event("holding-" + name)
    found = told(httpd, "requests", "--json")["requests"]
    assert len({(one["pid"], one["thread"]) for one in found}) == 3
    assert len({one["pid"] for one in found}) == 1
    assert "busy 3/3" in run_command(httpd, "status").stdout
    probe.open_gate("g")
    for one in held:
        one.result()


def test_a_backtrace_shows_where_a_worker_is_and_does_not_disturb_it(server: CheckedHttpd, probe: AppFolder) -> None:
    held = Background(lambda: server.get(path("/hold", gate="g", name="it")))
    pid = int(probe.wait_for_event("holding-it"))
    (process,) = told(server, "backtraces", str(pid), "--json")["processes"]
    assert (process["pid"], process["kind"], process["group"]) == (pid, "worker", key(probe))
    assert "in hold" in process["text"]
    assert "in hold" in run_command(server, "backtraces").stdout
    assert "in hold" in run_command(server, "--show=backtraces", program="passenger-status").stdout
    probe.open_gate("g")
    assert held.result().status == 200
    assert "most recent call first" not in server.logs.text()


def test_an_app_or_process_that_is_not_there_is_1(server: CheckedHttpd) -> None:
    for arguments in (["requests", "/nowhere"], ["backtraces", "/nowhere"], ["backtraces", "1"]):
        assert run_command(server, *arguments).returncode == 1


# Processes


def test_a_detached_worker_finishes_its_request_and_is_replaced(server: CheckedHttpd, probe: AppFolder) -> None:
    held = Background(lambda: server.get(path("/hold", gate="g", name="it")))
    pid = int(probe.wait_for_event("holding-it"))
    answer = run_command(server, "detach-process", str(pid))
    assert (answer.returncode, answer.stdout) == (0, f"Process {pid} of {key(probe)} finishes its requests and ends.\n")
    eventually(lambda: [one["pid"] for one in workers(server)] not in ([], [pid]), "another worker")
    probe.open_gate("g")
    assert held.result().status == 200
    (fresh,) = wait_for_workers(server, 1)
    assert fresh["pid"] != pid


def test_a_preloader_that_is_detached_goes_and_comes_again_when_it_is_needed(
    server: CheckedHttpd, probe: AppFolder
) -> None:
    worker = server.get("/pid").text
    (preloader,) = [one["pid"] for one in group(server)["processes"] if one["kind"] == "preloader"]
    answer = run_command(server, "detach-process", str(preloader))
    assert answer.stdout == f"Preloader {preloader} of {key(probe)} ends; its workers continue to serve.\n"
    eventually(lambda: not os.path.exists(f"/proc/{preloader}"), "the preloader's end")
    assert server.get("/pid").text == worker
    assert run_command(server, "detach-process", worker).returncode == 0
    eventually(lambda: server.get("/pid").text != worker, "a worker of a new preloader")
    kinds = [one["kind"] for one in group(server)["processes"] if one["pid"] not in (preloader, int(worker))]
    assert sorted(kinds) == ["preloader", "worker"]


def test_a_pid_that_is_no_app_s_is_1_unless_it_is_ignored(server: CheckedHttpd) -> None:
    assert run_command(server, "detach-process", str(server.pid)).returncode == 1
    ignored = run_command(server, "detach-process", str(server.pid), "--ignore-nonexistant-pid")
    assert ignored.returncode == 0
    twin = run_command(server, "detach-process", str(server.pid), program="passenger-config")
    assert twin.returncode == 1


def test_memory_is_told_of_apache_the_spawner_and_the_apps(server: CheckedHttpd) -> None:
    answer = told(server, "memory-stats", "--json")
    pids = {kind: [one["pid"] for one in answer["processes"] if one["kind"] == kind] for kind in ("httpd", "spawner")}
    assert server.pid in pids["httpd"]
    assert len(pids["httpd"]) > 1
    assert pids["spawner"] == [server.spawner_pid()]
    worker = next(one for one in answer["processes"] if one["kind"] == "worker")
    assert 0 < worker["uss"] <= worker["pss"] <= worker["rss"] < worker["virtual"]
    assert worker["swap"] >= 0
    assert answer["total"]["rss"] == sum(one["rss"] for one in answer["processes"])
    for program in ("jumpseat memory-stats", "passenger-memory-stats"):
        name, *arguments = program.split()
        assert "All together" in run_command(server, *arguments, program=name).stdout


# Instance, logs, status


def test_the_instance_is_listed(server: CheckedHttpd) -> None:
    (one,) = told(server, "list-instances", "--json")
    assert (one["name"], one["httpd_pid"]) == (f"httpd-{server.pid}", server.pid)
    twin = told(server, "list-instances", "--json", program="passenger-config")
    assert twin == [one]


def test_log_files_are_opened_anew(httpd: CheckedHttpd, probe: AppFolder) -> None:
    log = httpd.folder / "logs" / "own.log"
    httpd.add(f"PassengerLogFile {log}")
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.get("/")
    log.rename(log.with_name("own.log.1"))
    answer = run_command(httpd, "reopen-logs")
    assert (answer.returncode, answer.stdout) == (0, f"Reopened {log}\nAll done.\n")
    assert run_command(httpd, "restart-app", str(probe.root), "--wait").returncode == 0
    assert "restart begins: " in log.read_text()


def test_a_log_file_that_cannot_be_opened_is_1(httpd: CheckedHttpd, probe: AppFolder) -> None:
    log = httpd.folder / "logs" / "below" / "own.log"
    log.parent.mkdir()
    httpd.add(f"PassengerLogFile {log}")
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.get("/")
    log.unlink()
    log.parent.rmdir()
    answer = run_command(httpd, "reopen-logs")
    assert answer.returncode == 1
    assert str(log) in answer.stderr


def test_an_installation_is_checked(server: CheckedHttpd) -> None:
    configuration = str(server.folder / "httpd.conf")
    arguments = ("validate-install", "--httpd", "/usr/sbin/apache2", "--config", configuration, "--json")
    answer = run_command(server, *arguments)
    findings: dict[str, Any] = {}
    for one in json.loads(answer.stdout)["findings"]:
        findings[one["subject"]] = one["level"]
    expected = ("Apache", "Apache's configuration", "module", "packages", f"httpd-{server.pid}")
    assert {name: findings[name] for name in expected} == dict.fromkeys(expected, "ok")


def test_status_is_shown_again_and_again_until_ctrl_c(server: CheckedHttpd, probe: AppFolder) -> None:
    watching = OnTerminal(server, "status", "--watch", "0.2")
    watching.read_until(key(probe))
    watching.text = ""
    watching.read_until(key(probe))
    watching.interrupt()
    assert watching.end() == 0
    assert "Traceback" not in watching.text
    assert watching.text.endswith("\x1b[?25h\x1b[?1049l")  # the cursor and the page before are shown again


def test_a_watched_spawner_may_die_and_come_back(server: CheckedHttpd, probe: AppFolder) -> None:
    server.logs.allow(".*")
    watching = OnTerminal(server, "status", "--watch", "0.2")
    watching.read_until(key(probe))
    before = server.spawner_pid()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: server.spawner_pid() != before, "another spawner")
    watching.read_until(f"Spawner {server.spawner_pid()}")
    watching.interrupt()
    assert watching.end() == 0
    assert server.checks is not None
    server.checks.remember_descriptors()


def test_rejected_requests_are_counted(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.allow("queue")
    httpd.site(document_root=probe.public, body="PassengerMaxInstances 1\nPassengerMaxRequestQueueSize 1")
    httpd.start()
    httpd.get("/")
    held = Background(lambda: httpd.get(path("/hold", gate="g", name="it")))
    probe.wait_for_event("holding-it")
    others = [Background(lambda: httpd.get("/")) for _ in range(5)]
    eventually(lambda: group(httpd)["requests_rejected"] > 0, "rejected requests in status")
    assert group(httpd)["requests_in_queue"] == 1
    assert re.search(r"1 wait in the queue, \d answered 503 \(queue full\)", run_command(httpd, "status").stdout)
    probe.open_gate("g")
    assert held.result().status == 200
    assert {one.result().status for one in others} <= {200, 503}


def test_passenger_s_xml_tells_what_runs(server: CheckedHttpd, probe: AppFolder) -> None:
    pid = server.get("/pid").text
    answer = run_command(server, "--show=xml", program="passenger-status")
    info = ElementTree.fromstring(answer.stdout)
    assert info.findtext("process_count") == "1"
    assert info.findtext("supergroups/supergroup/name") == key(probe)
    assert info.findtext(".//process/pid") == pid
    assert int(info.findtext(".//process/rss") or 0) > 1000


def test_apps_that_a_new_spawner_took_over_are_managed_like_any_other(server: CheckedHttpd, probe: AppFolder) -> None:
    server.logs.allow(".*")
    before = server.spawner_pid()
    os.kill(before, signal.SIGKILL)
    wait_for_new_spawner(server, before)
    eventually(lambda: group(server).get("state") == "serving", "the app, taken over")
    assert run_command(server, "restart-app", str(probe.root), "--wait").returncode == 0
    held = Background(lambda: server.get(path("/hold", gate="g", name="it")))
    pid = int(probe.wait_for_event("holding-it"))
    assert [one["pid"] for one in told(server, "requests", "--json")["requests"]] == [pid]
    assert pid in [one["pid"] for one in told(server, "memory-stats", "--json")["processes"]]
    assert run_command(server, "detach-process", str(pid)).returncode == 0
    probe.open_gate("g")
    assert held.result().status == 200
    assert server.checks is not None
    server.checks.remember_descriptors()


# Who may do what


@pytest.mark.needs_root
def test_a_user_sees_and_controls_the_apps_that_run_as_them_only(server: CheckedHttpd, apps: AppFolders) -> None:
    mine = apps.create("probe", "mine", owner="daemon")
    server.site("mine.example", mine.public)
    server.graceful()
    assert server.checks is not None
    server.checks.remember_descriptors()
    pid, other = (int(server.get("/pid", host).text) for host in ("mine.example", "site.example"))
    page = run_as(server, "daemon", "status").stdout
    assert key(mine) in page
    assert "1 app of other users not shown" in page
    memory = run_as(server, "daemon", "memory-stats").stdout
    assert (str(pid) in memory, str(other) in memory, str(server.pid) in memory) == (True, False, False)
    stacks = run_as(server, "daemon", "backtraces").stdout
    assert (f"worker {pid}" in stacks, f"worker {other}" in stacks) == (True, False)
    assert run_as(server, "daemon", "backtraces", str(other)).returncode == 1
    assert run_as(server, "daemon", "detach-process", str(other)).returncode == 1
    assert run_as(server, "daemon", "detach-process", str(pid)).returncode == 0
    assert server.get("/pid").text == str(other)


@pytest.mark.needs_root
def test_only_root_may_have_logs_opened_anew(server: CheckedHttpd) -> None:
    answer = run_as(server, "daemon", "reopen-logs")
    assert answer.returncode == 2
    assert "root" in answer.stderr


@pytest.mark.needs_root
def test_an_app_that_has_never_run_is_its_owner_s_already(httpd: CheckedHttpd, apps: AppFolders) -> None:
    mine = apps.create("probe", "mine", owner="daemon")
    httpd.site(document_root=mine.public, body="PassengerMinInstances 0")
    httpd.start()
    httpd.get("/")
    assert key(mine) in run_as(httpd, "daemon", "status").stdout
    assert key(mine) not in run_as(httpd, "nobody", "status").stdout
