"""PassengerCtl hook_...: the administrator's commands are run when something happens, and nobody waits for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.paths import path
from support.serving import CheckedHttpd
from support.status import workers
from support.waiting import eventually


def hook(httpd: CheckedHttpd, name: str) -> Path:
    """Have a hook write its variables to files of its own in the folder that is given back, one for each run."""
    folder = httpd.folder / f"hook-{name}"
    folder.mkdir()
    script = httpd.folder / f"{name}.sh"
    script.write_text(f"#!/bin/sh\nenv > {folder}/.$$ && mv {folder}/.$$ {folder}/$$\n")
    script.chmod(0o755)
    httpd.add(f"PassengerCtl hook_{name} {script}")
    return folder


def runs(folder: Path) -> list[dict[str, str]]:
    """The variables of each run, in order."""
    files = sorted((file for file in folder.glob("[0-9]*")), key=lambda file: file.stat().st_mtime_ns)
    return [dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line) for file in files]


def test_a_worker_that_comes_and_goes_is_told_of(httpd: CheckedHttpd, probe: AppFolder) -> None:
    attached, detached = hook(httpd, "attached_process"), hook(httpd, "detached_process")
    httpd.site(document_root=probe.public)
    httpd.start()
    pid = httpd.get("/pid").text
    told = eventually(lambda: runs(attached), "the hook attached_process")[0]
    assert told["PASSENGER_PROCESS_PID"] == pid
    assert told["PASSENGER_APP_ROOT"] == str(probe.root)
    assert told["PASSENGER_APP_GROUP_NAME"] == f"{probe.root} (production)"
    assert told["PASSENGER_HOOK_NAME"] == "attached_process"
    probe.touch_restart()
    assert eventually(lambda: runs(detached), "the hook detached_process")[0]["PASSENGER_PROCESS_PID"] == pid


def test_a_start_that_fails_is_told_of_with_the_id_that_is_in_the_log(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.logs.allow("JS35")
    failed = hook(httpd, "spawn_failed")
    httpd.site(document_root=apps.create(name="wrong", entry="import no_such_module").public)
    httpd.start()
    assert httpd.get("/").status == 500
    told = eventually(lambda: runs(failed), "the hook spawn_failed")[0]
    assert "no_such_module" in told["PASSENGER_ERROR_MESSAGE"]
    assert told["PASSENGER_ERROR_ID"] in httpd.logs.text()


def test_requests_that_find_the_queue_full_are_told_of(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.allow(r"JS\d+.*(queue|503)")
    full = hook(httpd, "queue_full_error")
    httpd.site(document_root=probe.public, body="PassengerMaxRequestQueueSize 1\nPassengerMaxInstances 1")
    httpd.start()
    httpd.get("/")
    held = Background(lambda: httpd.get(path("/hold", gate="full", name="it")))
    probe.wait_for_event("holding-it")
    waiting = [Background(lambda: httpd.get("/")) for _ in range(8)]
    told = eventually(lambda: runs(full), lambda: f"the hook queue_full_error:\n{httpd.logs.text()}")[0]
    assert told["PASSENGER_APP_ROOT"] == str(probe.root)
    probe.open_gate("full")
    held.result()
    assert 503 in [one.result().status for one in waiting]


def test_a_request_that_takes_too_long_is_told_of(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.allow(r"JS\d+")
    reached = hook(httpd, "max_request_time_reached")
    httpd.site(document_root=probe.public, body="PassengerMaxRequestTime 1")
    httpd.start()
    pid = httpd.get("/pid").text
    assert httpd.get(path("/hold", gate="never", name="it")).status == 504
    told = eventually(lambda: runs(reached), "the hook max_request_time_reached")[0]
    assert told["PASSENGER_PROCESS_PID"] == pid


def test_a_hook_runs_as_the_spawner_s_user_and_holds_nothing_of_it(httpd: CheckedHttpd, probe: AppFolder) -> None:
    found = httpd.folder / "found"
    script = httpd.folder / "hook.sh"
    lines = ["#!/bin/sh", f"(id -u; ls /proc/self/fd | wc -l) > {found}.new", f"mv {found}.new {found}", ""]
    script.write_text("\n".join(lines))
    script.chmod(0o755)
    httpd.add(f"PassengerCtl hook_attached_process {script}")
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.get("/")
    eventually(found.exists, "the hook")
    assert found.read_text().split() == [str(os.geteuid()), "4"], "standard streams and the folder that ls reads"


def test_a_hook_that_hangs_holds_nobody_up_and_does_not_outlive_httpd(httpd: CheckedHttpd, probe: AppFolder) -> None:
    started = httpd.folder / "started"
    httpd.add(f"PassengerCtl hook_attached_process 'echo $$ > {started}; sleep 1000'")
    httpd.add(f'PassengerCtl hook_detached_process "sh -c \'echo $$ > {started}.too && exec sleep 1000\'"')
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.get("/")
    eventually(started.exists, "the hook")
    first = workers(httpd)[0]["pid"]
    probe.touch_restart()
    eventually(lambda: [one for one in workers(httpd) if one["pid"] != first], "a restart beside the hook that hangs")
    assert httpd.stop() == []  # by itself: else a line would say that httpd had to kill the spawner


def test_what_a_hook_prints_and_how_it_fails_is_in_the_log(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.expect("JS3104: hook failed: attached_process: false: exit status 1; its further commands are not run")
    httpd.add('PassengerCtl hook_attached_process "echo hello from the hook; false; touch /nowhere/x"')
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.get("/")
    httpd.logs.wait_for("hello from the hook")
    httpd.logs.wait_for("JS3104")


def test_a_graceful_restart_brings_other_hooks_into_force(httpd: CheckedHttpd, probe: AppFolder) -> None:
    found = httpd.folder / "found"
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.add(f"PassengerCtl hook_attached_process 'touch {found}'")
    httpd.graceful()
    httpd.logs.wait_for("JS3045: configuration 2 is in force")
    httpd.get("/")
    eventually(found.exists, "the hook")


@pytest.mark.parametrize("line", ["PassengerCtl hook_attached_process", "PassengerCtl"])
def test_a_hook_without_command_is_refused(httpd: CheckedHttpd, line: str) -> None:
    httpd.add(line)
    assert "PassengerCtl takes two arguments" in httpd.test_configuration().stdout


def test_other_keys_are_accepted_with_one_warning_each(httpd: CheckedHttpd) -> None:
    httpd.add("PassengerCtl stat_throttle_rate 5\nPassengerCtl hook_unknown /bin/x\nPassengerCtl stat_throttle_rate 6")
    answer = httpd.test_configuration()
    assert answer.returncode == 0
    assert answer.stdout.count("PassengerCtl stat_throttle_rate has no effect") == 1
    assert answer.stdout.count("PassengerCtl hook_unknown has no effect") == 1


def test_it_may_not_stand_in_a_directory(httpd: CheckedHttpd) -> None:
    httpd.add("<Directory /usr>\nPassengerCtl hook_spawn_failed /bin/true\n</Directory>")
    answer = httpd.test_configuration()
    assert answer.returncode != 0
    assert "PassengerCtl" in answer.stdout
