"""The harness itself: each check after a test is proved by seeding what it looks for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.checks import Checks
from support.connections import queued_connections, thread_states, threads_at_work
from support.httpd import Httpd
from support.ports import Port
from support.serving import CheckedHttpd
from support.waiting import DeadlinePassed, eventually

REFUSED = "<Location /refused>\nRequire all denied\n</Location>"


@pytest.fixture
def seeded(plain_httpd: CheckedHttpd, tmp_path: Path) -> CheckedHttpd:
    """A plain httpd with a page and a refused place, not yet started. Its own checks are left to the test."""
    (plain_httpd.folder / "apps" / "page.html").write_text("a page")
    plain_httpd.site(document_root=plain_httpd.folder / "apps", body=REFUSED)
    return plain_httpd


def start(server: CheckedHttpd) -> Checks:
    """Start without the checks of the fixture, so that what a test seeds does not fail the test itself."""
    Httpd.start(server)
    checks = Checks(server)
    checks.patience = 1.0
    return checks


def only(complaints: list[str]) -> str:
    assert len(complaints) == 1, complaints
    return complaints[0]


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_a_plain_httpd_under_each_mpm_serves_a_page_and_passes_all_checks(seeded: CheckedHttpd, mpm: str) -> None:
    seeded.configuration.mpm = mpm
    checks = start(seeded)
    assert seeded.get("/page.html").text == "a page"
    assert checks.final() == []


@pytest.mark.needs_root
def test_a_plain_httpd_runs_as_a_normal_user(seeded: CheckedHttpd) -> None:
    as_user = CheckedHttpd("", user="daemon")
    try:
        as_user.site(document_root=seeded.folder / "apps")
        checks = start(as_user)
        assert as_user.get("/page.html").text == "a page"
        assert {process.username() for process in as_user.processes()} == {"daemon"}
        assert checks.final() == []
    finally:
        as_user.clean_up()


def test_an_error_line_that_no_test_has_declared_is_found(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    assert seeded.get("/refused").status == 403
    assert "AH01630" in only(checks.final())


def test_an_error_line_is_found_between_two_tests_and_only_once(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    seeded.get("/refused")
    assert "AH01630" in only(checks.between_tests())
    assert checks.between_tests() == []


def test_a_declared_error_line_is_no_fault(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    seeded.logs.expect("AH01630")
    seeded.get("/refused")
    assert checks.final() == []


def test_a_declared_error_line_that_does_not_come_is_a_fault(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    seeded.logs.expect("AH01630")
    assert "declared, but not logged: AH01630" in only(checks.final())


def test_what_one_test_declares_does_not_excuse_the_next(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    seeded.logs.allow("AH01630")
    checks.between_tests()
    seeded.get("/refused")
    assert "AH01630" in only(checks.final())


def test_a_process_that_outlives_httpd_is_found_and_ended(seeded: CheckedHttpd) -> None:
    pid_file = seeded.folder / "stray.pid"
    runaway = seeded.folder / "runaway.sh"
    runaway.write_text(f"setsid sh -c 'echo $$ >{pid_file}; exec sleep 300' >/dev/null 2>&1 & exec cat >/dev/null\n")
    seeded.add(f'CustomLog "|/bin/sh {runaway}" "%r"')
    seeded.stop_deadline = 6.0
    checks = start(seeded)
    eventually(lambda: pid_file.exists() and pid_file.read_text().strip(), "the stray to start")
    complaints = checks.final()  # httpd starts such a program once for each time that it reads its configuration
    assert complaints
    assert all(line.startswith("stray process: ") and line.endswith("sleep 300") for line in complaints), complaints
    assert not Path(f"/proc/{pid_file.read_text().strip()}").exists()


def test_a_socket_file_that_is_left_is_found(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(seeded.run_folder / "left.sock"))
    assert only(checks.final()) == "left in run/: left.sock"


def test_a_spool_file_that_is_left_is_found(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    (seeded.folder / "buffer" / "upload").touch()
    assert only(checks.final()) == "left in buffer/: upload"


def test_a_descriptor_more_in_the_parent_is_found(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    seeded.add(f'ErrorLog "{seeded.folder}/logs/error.log"\nCustomLog "{seeded.folder}/logs/another.log" "%r"')
    seeded.graceful()
    found = only(checks.final())
    assert found.startswith("httpd's parent holds more descriptors")
    assert "another.log: 0 -> 1" in found


def test_a_child_of_httpd_that_crashes_is_found(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    child = next(process for process in seeded.processes() if process.pid != seeded.pid)
    child.send_signal(signal.SIGSEGV)
    seeded.logs.wait_for("AH0005[12]")
    assert "Segmentation fault" in only(checks.final())


def test_a_crash_of_the_parent_is_found(seeded: CheckedHttpd) -> None:
    seeded.stop_deadline = 3.0
    checks = start(seeded)
    os.kill(seeded.pid, signal.SIGBUS)
    eventually(lambda: seeded.pid in seeded.ended, "the end of httpd")
    assert any("was ended by SIGBUS" in line for line in checks.final())


def test_a_sanitizer_line_on_stderr_is_found_and_no_test_can_allow_it(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    seeded.logs.allow(".")
    with open(seeded.folder / "logs" / "stderr.log", "a") as stderr:
        stderr.write("==12==ERROR: AddressSanitizer: heap-use-after-free\n")
    assert "AddressSanitizer" in only(checks.final())


def test_a_report_of_a_sanitizer_is_found_and_no_test_can_allow_it(seeded: CheckedHttpd) -> None:
    checks = start(seeded)
    (seeded.reports / "address.12").write_text("ERROR: AddressSanitizer: heap-use-after-free\n")
    seeded.logs.allow(".")
    assert "AddressSanitizer" in only(checks.between_tests())
    assert checks.final() == []


def test_a_server_that_cannot_start_says_why(seeded: CheckedHttpd) -> None:
    seeded.add("NoSuchDirective On")
    with pytest.raises(RuntimeError, match="NoSuchDirective"):
        seeded.start()


def child_without_connections(server: CheckedHttpd) -> psutil.Process:
    """The harness itself has connected when it started httpd."""
    eventually(lambda: not server.connections(), "the end of all connections")
    (child,) = server.children("apache2")
    return child


def suspend(process: psutil.Process) -> None:
    process.suspend()
    eventually(lambda: set(thread_states(process.pid)) == {"T"}, "all threads to be suspended")


def connect_and_leave(server: CheckedHttpd) -> None:
    socket.create_connection(("127.0.0.1", server.port)).close()


def test_a_stop_waits_for_a_connection_that_no_child_has_accepted(
    seeded: CheckedHttpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(seeded)
    child, count, queued = child_without_connections(seeded), seeded.connections, []
    assert seeded.process is not None
    send = seeded.process.send

    def count_and_resume() -> int:
        found = count()
        child.resume()
        return found

    def look_and_send(number: int) -> None:
        queued.append(queued_connections([child.pid]))
        send(number)

    monkeypatch.setattr(seeded, "connections", count_and_resume)
    monkeypatch.setattr(seeded.process, "send", look_and_send)
    suspend(child)
    connect_and_leave(seeded)
    eventually(lambda: count() == 1, "the connection to be queued")
    assert seeded.stop() == []
    assert queued == [0]


@pytest.mark.parametrize("end", ["stop", "restart"])
def test_httpd_is_ended_only_when_it_is_at_rest(
    seeded: CheckedHttpd, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    start(seeded)
    answers, order = iter([False, True]), []
    assert seeded.process is not None
    send = seeded.process.send

    def is_at_rest() -> bool:
        order.append("look")
        return next(answers)

    def note_and_send(number: int) -> None:
        order.append("signal")
        send(number)

    monkeypatch.setattr(seeded, "is_at_rest", is_at_rest)
    monkeypatch.setattr(seeded.process, "send", note_and_send)
    getattr(seeded, end)()
    assert order == ["look", "look", "signal"]


@pytest.mark.parametrize(("code", "at_work"), [("while True: pass", 1), ("input()", 0)])
def test_a_thread_is_at_work_while_it_runs_and_not_while_it_waits(code: str, at_work: int) -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdin=subprocess.PIPE) as process:
        eventually(lambda: threads_at_work([process.pid]) == at_work, f"{at_work} threads to be at work")
        process.kill()


def test_two_ports_are_never_the_same() -> None:
    ports = [Port() for _ in range(20)]
    assert len({port.number for port in ports}) == 20
    for port in ports:
        port.release()


def test_waiting_for_what_does_not_come_fails_with_what_was_seen() -> None:
    with pytest.raises(DeadlinePassed, match="last seen: 0"):
        eventually(lambda: 0, "nothing", 0.05)
