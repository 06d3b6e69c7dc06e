"""Signals for one process, never for a group: 0 would be all that runs these tests."""

from __future__ import annotations

import os
import signal


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal. Raises AssertionError for what is no process's number (0: not known yet)."""
    assert pid > 1, f"{pid} is no process to be killed"
    os.kill(pid, number)
