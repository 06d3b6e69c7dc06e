"""The daemon as a process of its own, with real sockets, real apps and a test in httpd's part."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import stat
import time
from pathlib import Path
from typing import Iterator

import pytest

from tests.unit.support.spawner_process import Httpd, eventually, request, running, write_app


@pytest.fixture
def httpd(tmp_path: Path) -> Iterator[Httpd]:
    with running(tmp_path, log_level=5) as httpd:
        yield httpd


#: Seconds for which the kernel holds up who opens a file that is leased.
LEASE_BREAK_TIME = int(Path("/proc/sys/fs/lease-break-time").read_text())


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def worker_pids(httpd: Httpd) -> set[int]:
    return {p["pid"] for p in httpd.processes() if p["kind"] != "preloader" and p["state"] == "serving"}


def test_the_first_request_of_a_cold_app_is_answered_by_a_worker_that_it_starts(httpd: Httpd) -> None:
    registered = httpd.register(write_app(httpd.folder / "app"))
    assert registered["type"] == "registered"
    assert body(request(registered)).startswith(b"hello ")


def test_touching_restart_txt_brings_the_next_release_in(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app", "old")
    registered = httpd.register(app)
    assert body(request(registered)).startswith(b"old ")
    write_app(app, "new")
    (app / "tmp").mkdir()
    (app / "tmp" / "restart.txt").touch()
    eventually(lambda: body(request(registered)).startswith(b"new "), "the new release answers")


def test_an_idle_app_restarts_without_a_request(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app")
    (app / "tmp").mkdir()
    registered = httpd.register(app)
    request(registered)
    before = worker_pids(httpd)
    (app / "tmp" / "restart.txt").touch()
    eventually(lambda: worker_pids(httpd) and not worker_pids(httpd) & before, "other workers")


def test_a_release_that_does_not_load_leaves_the_old_one_serving(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app", "old")
    (app / "tmp").mkdir()
    registered = httpd.register(app)
    request(registered)
    write_app(app, source="raise RuntimeError('not this release')\n")
    (app / "tmp" / "restart.txt").touch()
    eventually(lambda: "not this release" in httpd.log(), "the failure in the log")
    assert body(request(registered)).startswith(b"old ")


def test_a_spawner_that_was_killed_is_followed_by_one_that_takes_its_apps_over(httpd: Httpd) -> None:
    registered = httpd.register(write_app(httpd.folder / "app"))
    answer = body(request(registered))
    httpd.kill_spawner()
    assert body(request(registered)) == answer, "the worker serves on without a spawner"
    httpd.start()
    httpd.configure(log_level=5)
    assert "took over 1 apps with 2 processes" in httpd.log()
    again = httpd.register(httpd.folder / "app")
    assert (again["socket"], again["app_token"]) == (registered["socket"], registered["app_token"])
    assert body(request(again)) == answer, "the same worker still serves"


def test_an_adopted_app_restarts_like_any_other(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app", "old")
    registered = httpd.register(app)
    request(registered)
    httpd.kill_spawner()
    httpd.start()
    httpd.configure()
    write_app(app, "new")
    (app / "tmp").mkdir()
    (app / "tmp" / "restart.txt").touch()
    eventually(lambda: body(request(registered)).startswith(b"new "), "the new release answers")


def test_a_restart_asked_for_while_no_spawner_runs_is_not_lost(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app", "old")
    registered = httpd.register(app)
    request(registered)
    httpd.kill_spawner()
    write_app(app, "new")
    (app / "tmp").mkdir()
    (app / "tmp" / "restart.txt").touch()
    httpd.start()
    httpd.configure()
    eventually(lambda: body(request(registered)).startswith(b"new "), "the new release answers")


def test_a_worker_that_dies_is_replaced(httpd: Httpd) -> None:
    registered = httpd.register(write_app(httpd.folder / "app"))
    request(registered)
    before = worker_pids(httpd)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: worker_pids(httpd) - before, "another worker")
    assert body(request(registered)).startswith(b"hello ")


def test_a_worker_that_dies_after_adoption_is_replaced(httpd: Httpd) -> None:
    registered = httpd.register(write_app(httpd.folder / "app"))
    request(registered)
    httpd.kill_spawner()
    httpd.start()
    httpd.configure()
    before = eventually(lambda: worker_pids(httpd), "adopted workers")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: worker_pids(httpd) - before, "another worker")


def test_an_app_is_started_directly_where_that_is_asked_for(httpd: Httpd) -> None:
    registered = httpd.register(write_app(httpd.folder / "app"), spawn_method="direct")
    assert body(request(registered)).startswith(b"hello ")
    assert [process["kind"] for process in httpd.processes()] == ["direct"]


def test_more_workers_come_when_all_are_busy_and_a_request_waits(httpd: Httpd) -> None:
    source = (
        "import os, time\ndef application(environ, start_response):\n"
        "    while not os.path.exists('gate'):\n        time.sleep(0.01)\n"
        "    start_response('200 OK', [])\n    return [b'slow']\n"
    )
    app = write_app(httpd.folder / "app", source=source)
    registered = httpd.register(app)
    lines = [open_request(registered) for _ in range(4)]
    eventually(lambda: len(worker_pids(httpd)) > 1, "a second worker")
    (app / "gate").touch()
    for line in lines:
        line.close()


def open_request(registered: dict[str, str]) -> socket.socket:
    from spawner.shared import wire

    line = socket.socket(socket.AF_UNIX)
    line.connect(registered["socket"])
    head = [("CONTENT_LENGTH", "0"), ("SCGI", "1"), ("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/"),
            ("SCRIPT_NAME", ""), ("PATH_INFO", "/"), ("QUERY_STRING", ""), ("SERVER_NAME", "t"), ("SERVER_PORT", "80"),
            ("SERVER_PROTOCOL", "HTTP/1.1"), ("JUMPSEAT_TOKEN", registered["app_token"])]  # fmt: skip
    line.sendall(wire.encode_text(head))
    return line


def test_what_an_app_prints_stands_in_the_error_log_with_its_pid(httpd: Httpd) -> None:
    source = "print('at import')\nimport sys\nsys.stderr.write('no newline')\n" + (
        "def application(environ, start_response):\n"
        "    print('in a request', file=environ['wsgi.errors'])\n    start_response('200 OK', [])\n    return [b'x']\n"
    )
    request(httpd.register(write_app(httpd.folder / "app", source=source)))
    line = r"\[\w{3} \w{3} \d+ [\d:.]+ \d+\] \[passenger:notice\] \[pid (\d+)\] App \1 output: %s\n"
    eventually(lambda: re.search(line % "at import", httpd.log()), "the line from the import")
    eventually(lambda: re.search(line % "in a request", httpd.log()), "the line from the request")


def test_an_app_that_cannot_be_imported_is_answered_500_with_the_cause_in_the_log_only(httpd: Httpd) -> None:
    registered = httpd.register(write_app(httpd.folder / "app", source="raise RuntimeError('<secret>')\n"))
    answer = request(registered)
    assert answer.startswith(b"Status: 500 ")
    assert b"secret" not in answer
    error_id = re.search(rb"<code>([0-9a-f]{8})</code>", answer)
    assert error_id is not None
    assert error_id.group(1).decode() in httpd.log()
    assert "RuntimeError: <secret>" in httpd.log()


def test_the_friendly_page_shows_the_traceback_escaped(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app", source="raise RuntimeError('<script>')\n")
    answer = request(httpd.register(app, app_env="development"))
    assert b"RuntimeError: &lt;script&gt;" in answer
    assert b"<script>" not in answer
    assert b"passenger_wsgi.py" in answer


def test_an_app_that_failed_is_tried_again_as_soon_as_it_is_mended_and_touched(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app", source="raise RuntimeError\n")
    registered = httpd.register(app)
    assert request(registered).startswith(b"Status: 500 ")
    assert request(registered).startswith(b"Status: 500 "), "the back-off answers at once"
    write_app(app, "mended")
    (app / "tmp").mkdir()
    (app / "tmp" / "restart.txt").touch()
    eventually(lambda: body(request(registered)).startswith(b"mended "), "the mended app")


def test_an_app_that_does_not_come_up_in_time_is_killed_and_its_output_shown(httpd: Httpd) -> None:
    source = "print('still waiting for the database', flush=True)\nimport time\ntime.sleep(60)\n"
    registered = httpd.register(write_app(httpd.folder / "app", source=source), start_timeout=5, friendly_error_pages=1)
    answer = request(registered)
    assert b"PassengerStartTimeout" in answer
    assert b"still waiting for the database" in answer
    eventually(lambda: not httpd.processes(), "no process left")


def test_a_process_that_dies_while_it_imports_is_reported_with_its_signal(httpd: Httpd) -> None:
    source = "import os, signal\nos.write(2, b'last words')\nos.kill(os.getpid(), signal.SIGKILL)\n"
    answer = request(httpd.register(write_app(httpd.folder / "app", source=source), friendly_error_pages=1))
    assert b"signal 9" in answer
    assert b"last words" in answer


def test_a_missing_interpreter_is_named(httpd: Httpd) -> None:
    answer = request(httpd.register(write_app(httpd.folder / "app"), python="/nowhere/python", friendly_error_pages=1))
    assert b"/nowhere/python" in answer
    assert b"<strong>execute the interpreter</strong>" in answer


def test_an_app_root_without_entry_file_is_named(httpd: Httpd) -> None:
    (httpd.folder / "empty").mkdir()
    answer = request(httpd.register(httpd.folder / "empty", friendly_error_pages=1))
    assert str(httpd.folder / "empty" / "passenger_wsgi.py").encode() in answer


def test_a_registration_without_the_token_is_refused(httpd: Httpd) -> None:
    refused = httpd.register(write_app(httpd.folder / "app"), token="0" * 64)
    assert refused["type"] == "refused"
    assert "token" in refused["reason"]
    assert httpd.status()["groups"] == []


def test_a_bad_option_is_refused_and_named(httpd: Httpd) -> None:
    refused = httpd.register(write_app(httpd.folder / "app"), min_instances="many")
    assert refused["type"] == "refused"
    assert "min_instances" in refused["reason"]


def test_the_instance_folder_has_the_modes_that_the_protocol_promises(httpd: Httpd) -> None:
    registered = httpd.register(write_app(httpd.folder / "app"))
    modes = {
        str(path.relative_to(httpd.registry)): stat.S_IMODE(path.stat().st_mode)
        for path in [httpd.registry, *httpd.registry.rglob("*")]
    }
    name = httpd.instance.name
    expected = {
        ".": 0o755, name: 0o755, name + "/apps": 0o711, name + "/loaders": 0o755, name + "/instance.json": 0o644,
        name + "/spawner.sock": 0o600, name + "/admin.sock": 0o666, name + "/loaders/python/start.py": 0o644,
        name + "/shared": 0o755, name + "/shared/wire.py": 0o644,
        str(Path(registered["socket"]).relative_to(httpd.registry)): 0o600,
    }  # fmt: skip
    assert {path: modes[path] for path in expected} == expected


def test_everything_of_ours_ends_and_is_removed_when_httpd_ends(httpd: Httpd) -> None:
    request(httpd.register(write_app(httpd.folder / "app")))
    pids = [process["pid"] for process in httpd.processes()]
    assert len(pids) == 2
    assert httpd.end() == 0
    assert list(httpd.registry.iterdir()) == []
    assert [pid for pid in pids if not is_gone(str(pid))] == []


def test_an_app_that_does_not_end_is_killed_after_the_grace(tmp_path: Path, httpd: Httpd) -> None:
    source = (
        "import time\ndef application(environ, start_response):\n"
        "    time.sleep(60)\n    start_response('200 OK', [])\n    return [b'']\n"
    )
    registered = httpd.register(write_app(httpd.folder / "app", source=source))
    line = open_request(registered)
    eventually(lambda: any(process["busy"] for process in httpd.processes()), "a busy worker")
    began = time.monotonic()
    assert httpd.end() == 0
    assert 2.5 < time.monotonic() - began
    line.close()


def test_logs_are_written_to_the_newest_descriptor_after_a_rotation(httpd: Httpd) -> None:
    httpd.log_path.rename(httpd.folder / "error.log.1")
    httpd.log_path.touch()
    httpd.configure(log_level=5)
    assert "JS3045: configuration 2 is in force" in httpd.log()


def test_unchanged_apps_keep_their_processes_through_a_graceful_restart(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app")
    request(httpd.register(app))
    before = worker_pids(httpd)
    httpd.configure(log_level=5)
    request(httpd.register(app))
    assert worker_pids(httpd) == before


def test_a_changed_option_of_a_new_configuration_restarts_the_app(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app")
    request(httpd.register(app))
    before = worker_pids(httpd)
    httpd.configure(log_level=5)
    httpd.register(app, app_env="staging")
    eventually(lambda: worker_pids(httpd) and not worker_pids(httpd) & before, "other workers")


def test_the_instance_folder_is_made_anew_when_a_cleaner_has_removed_it(httpd: Httpd) -> None:
    import shutil

    app = write_app(httpd.folder / "app")
    request(httpd.register(app))
    httpd.instance.rename(httpd.folder / "taken")  # at once: it is made anew under whoever removes file by file
    shutil.rmtree(httpd.folder / "taken")
    eventually(lambda: (httpd.instance / "spawner.sock").exists(), "a new folder")
    registered = eventually(lambda: httpd.register(app), "a registration")
    assert body(request(registered)).startswith(b"hello ")


def test_a_wrong_spawner_conf_ends_the_spawner_with_its_own_status(tmp_path: Path) -> None:
    config = tmp_path / "spawner.conf"
    config.write_text("[sampling]\nactive_intervall = 1\n")
    httpd = Httpd(tmp_path)
    try:
        process = httpd.start(str(config))
        assert process.wait(20) == 78
        assert "spawner.conf: [sampling] active_intervall: there is no such setting" in httpd.stderr()
    finally:
        httpd.close()


def test_a_registry_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    httpd = Httpd(tmp_path)
    httpd.registry.mkdir()
    os.chmod(httpd.registry, 0o777)
    try:
        process = httpd.start()
        assert process.wait(20) == 78
        assert "PassengerInstanceRegistryDir" in httpd.stderr()
    finally:
        httpd.close()


def test_restarts_failures_and_ends_leave_no_descriptor_behind(httpd: Httpd) -> None:
    app = write_app(httpd.folder / "app")
    (app / "tmp").mkdir()
    registered = httpd.register(app)
    assert httpd.process is not None
    descriptors = "/proc/%d/fd" % httpd.process.pid

    def rounds(count: int) -> None:
        for _ in range(count):
            write_app(app, source="raise RuntimeError\n")
            failures = httpd.log().count("JS3513")
            (app / "tmp" / "restart.txt").touch()
            eventually(lambda known=failures: httpd.log().count("JS3513") > known, "a failed restart")  # type: ignore[misc]
            write_app(app, "mended")
            completed = httpd.log().count("JS3510")
            (app / "tmp" / "restart.txt").touch()
            eventually(lambda known=completed: httpd.log().count("JS3510") > known, "a restart")  # type: ignore[misc]
            assert body(request(registered)).startswith(b"mended ")

    request(registered)
    rounds(1)
    eventually(lambda: len(httpd.processes()) == 2, "one preloader and one worker")
    before = len(os.listdir(descriptors))
    rounds(4)
    eventually(lambda: len(httpd.processes()) == 2, "one preloader and one worker")
    eventually(lambda: len(os.listdir(descriptors)) <= before, "no descriptor more")


def test_an_app_s_secrets_and_httpd_s_descriptors_are_not_in_its_reach(httpd: Httpd) -> None:
    source = (
        "import os\ndef application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    names = [os.readlink('/proc/self/fd/' + fd) for fd in os.listdir('/proc/self/fd')"
        " if os.path.exists('/proc/self/fd/' + fd)]\n"
        "    return [repr((sorted(os.environ), names)).encode()]\n"
    )
    answer = body(request(httpd.register(write_app(httpd.folder / "app", source=source)))).decode()
    assert "JUMPSEAT" not in answer
    assert "error.log" not in answer


def test_what_an_app_has_started_itself_ends_with_httpd(httpd: Httpd) -> None:
    source = (
        "import subprocess\n"
        "one = subprocess.Popen(['sleep', '600'])\n"
        "two = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "three = subprocess.Popen(['sh', '-c', 'trap : TERM; while :; do sleep 1; done'])\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n    return [b'%d %d %d' % (one.pid, two.pid, three.pid)]\n"
    )
    pids = body(request(httpd.register(write_app(httpd.folder / "app", source=source)))).decode().split()
    assert len(pids) == 3
    assert httpd.end() == 0
    for pid in pids:
        eventually(lambda pid=pid: is_gone(pid), "the end of " + pid)  # type: ignore[misc]


def is_gone(pid: str) -> bool:
    """Whether a process has ended; where nobody waits for it, it stays a zombie."""
    try:
        return Path("/proc/%s/stat" % pid).read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_adopted_apps_have_started_ends_with_httpd_too(httpd: Httpd) -> None:
    source = (
        "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n    return [b'%d' % child.pid]\n"
    )
    pid = body(request(httpd.register(write_app(httpd.folder / "app", source=source)))).decode()
    httpd.kill_spawner()
    httpd.start()
    httpd.configure(log_level=5)
    assert httpd.end() == 0
    eventually(lambda: is_gone(pid), "the end of " + pid)


def test_standard_error_follows_the_rotation_of_the_main_log(httpd: Httpd) -> None:
    assert httpd.process is not None
    httpd.log_path.rename(httpd.folder / "error.log.1")
    httpd.log_path.touch()
    httpd.configure(log_level=5)
    for standard in (1, 2):
        assert os.readlink("/proc/%d/fd/%d" % (httpd.process.pid, standard)) == str(httpd.log_path)


def test_an_interpreter_that_cannot_be_executed_for_long_holds_nobody_else_up(httpd: Httpd) -> None:
    held = write_app(httpd.folder / "held")
    interpreter = held / "python"
    interpreter.write_text('#!/bin/sh\nexec python3 "$@"\n')
    interpreter.chmod(0o755)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    descriptor = os.open(interpreter, os.O_RDWR)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)  # who opens it now waits
        line = open_request(httpd.register(held, key="held", python=interpreter))
        eventually(lambda: httpd.processes("held"), "the start")
        began = time.monotonic()
        other = httpd.register(write_app(httpd.folder / "app"))
        assert body(request(other)).startswith(b"hello ")
        assert time.monotonic() - began < LEASE_BREAK_TIME
        line.close()
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)
