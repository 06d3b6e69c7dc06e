"""How much memory processes have used at most."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable

import psutil


class PeakMemory:
    """Take before the work; `growth` afterwards says by how many bytes the peak of any process has grown."""

    def __init__(self, processes: Iterable[psutil.Process]) -> None:
        self._before = {process.pid: peak(process.pid) for process in processes}

    def growth(self) -> int:
        return max(
            (peak(pid) - before for pid, before in self._before.items() if Path(f"/proc/{pid}").exists()), default=0
        )


def peak(pid: int) -> int:
    """The process's highest resident size, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def resident(pid: int) -> int:
    """The process's resident size now, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
