"""A memory cgroup of our own, of the first or the second version."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class MemoryCgroup:
    """Holds processes to so many bytes of memory; the kernel kills one of them when they want more."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        second = (folder / "memory.max").exists()
        (folder / ("memory.max" if second else "memory.limit_in_bytes")).write_text(str(limit))
        self._events = folder / ("memory.events" if second else "memory.oom_control")

    @classmethod
    def make(cls, limit: int) -> MemoryCgroup | None:
        """None where this machine does not let us: no rights, or no memory controller."""
        parent = ROOT / "memory" if (ROOT / "memory").is_dir() else ROOT
        folder = parent / f"jumpseat-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            return None
        try:
            return cls(folder, limit)
        except OSError:
            folder.rmdir()
            return None

    def add(self, pid: int) -> None:
        """Take a process in. What it has already stays charged to where it was."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def kills(self) -> int:
        """How many processes the kernel has killed in it."""
        facts = dict(line.split() for line in self._events.read_text().splitlines())
        return int(facts["oom_kill"])

    def close(self) -> None:
        """Remove it; processes that are still in it go where they came from."""
        for pid in (self._folder / "cgroup.procs").read_text().split():
            (self._folder.parent / "cgroup.procs").write_text(pid)
        self._folder.rmdir()
