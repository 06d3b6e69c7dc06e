"""Signals for one process, never for a group: 0 would be all that runs these tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal. Raises AssertionError for what is no process's number (0: not known yet)."""
    assert pid > 1, f"{pid} is no process to be killed"
    os.kill(pid, number)


def kill_app_process(pid: int, app: Path) -> bool:
    """Kill a process of the app in `app`; False when it has ended already, whoever has its number now."""
    assert pid > 1, f"{pid} is no process to be killed"
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if str(app).encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return True
    except (ProcessLookupError, FileNotFoundError):
        return False
    finally:
        os.close(descriptor)
