"""A spawner that does nothing any more without having ended: httpd notices, and only then."""

from __future__ import annotations

import os
import platform
import signal
from typing import Callable

import psutil
import pytest

from support.applications import AppFolder
from support.serving import CheckedHttpd
from support.waiting import eventually

#: A jump to itself, by machine.
JUMP = {"x86_64": b"\xeb\xfe", "aarch64": b"\x00\x00\x00\x14"}[platform.machine()]
SECONDS = 100.0  # half a minute and two looks of httpd, and a slow machine


def make_spin(pid: int) -> None:
    """Have a process never come back from the system call that its main thread waits in: it spins behind it."""

    def place() -> int:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            words = file.read().split()
        return int(words[-1], 16) if len(words) > 2 else 0  # proc(5): else it runs

    address = eventually(place, "a system call that it waits in")
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(address)
        memory.write(JUMP)


@pytest.mark.deadline(150)
def test_a_spawner_that_spins_is_replaced_and_one_that_was_stopped_is_not(
    httpd: CheckedHttpd, probe: AppFolder, make_httpd: Callable[..., CheckedHttpd]
) -> None:
    httpd.site(document_root=probe.public)
    httpd.start()
    worker = httpd.get("/pid").text
    spinning = httpd.spawner_pid()
    other = make_httpd()
    other.start()
    other.wait_for_spawner()
    stopped = other.spawner_pid()

    os.kill(stopped, signal.SIGSTOP)
    other.logs.expect(rf"JS1030: the spawner \(pid {stopped}\) is stopped")
    make_spin(spinning)
    httpd.logs.expect(rf"JS1031: the spawner \(pid {spinning}\) has sent no heartbeat for 30 seconds")
    httpd.logs.expect(rf"AH00052: child pid {spinning} exit signal Abort")
    httpd.logs.expect("Fatal Python error: Aborted")
    httpd.logs.expect(rf"JS1025: the spawner \(pid {spinning}\) has ended \(status or signal 6\)")

    eventually(lambda: httpd.spawner_pid() not in (0, spinning), "another spawner", SECONDS)
    httpd.wait_for_spawner()
    assert httpd.logs.count("most recent call first") >= 1
    assert httpd.logs.count("in _run_once") >= 1
    assert httpd.get("/pid").text == worker
    other.logs.wait_for("JS1030", seconds=SECONDS)
    assert psutil.Process(stopped).status() == psutil.STATUS_STOPPED
    os.kill(stopped, signal.SIGCONT)
    other.graceful()
    assert other.spawner_pid() == stopped
