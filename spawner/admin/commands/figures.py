"""What processes cost: read from /proc one at a time, so that the spawner's loop goes on between two of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from typing import Iterable, Optional

from spawner.machine.smaps import shares_of

_FRESH = 1.0  # seconds for which what was read is told again: many who watch cost no more than one
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Figure:
    """One process at a moment. Sizes are bytes; None for what could not be told.

    :ivar pss: its own pages and its share of those that several processes have (proc(5)).
    :ivar uss: what only it has: what ending it would free.
    :ivar cpu_percent: CPU time since its start in percent of one processor.
    :ivar name: that which the kernel keeps, at most 15 bytes. (Reading the command line would be reading the process's
        memory, which it can have the reader wait for.)
    """

    pid: int
    ppid: int
    name: str
    rss: int
    virtual: int
    pss: Optional[int]
    uss: Optional[int]
    swap: Optional[int]
    cpu_percent: float

    def memory(self) -> dict[str, Optional[int]]:
        """The sizes by name, as answers have them."""
        return {"rss": self.rss, "pss": self.pss, "uss": self.uss, "swap": self.swap}


class Figures:
    """Remembers for a moment what was read.

    Reading the shares of one process takes the kernel up to some 20 ms per GB of it; the loop has its turn after each.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, Optional[Figure]]] = {}

    async def look(self, pids: Iterable[int]) -> None:
        """Read what is not known freshly."""
        for pid in list(pids):
            if pid > 0 and not self._is_fresh(pid):
                self._known[pid] = (time.monotonic(), read_figure(pid))
                await asyncio.sleep(0)
        for pid in [pid for pid in self._known if not self._is_fresh(pid, 10 * _FRESH)]:
            del self._known[pid]

    def of(self, pid: int) -> Optional[Figure]:
        """What was read of a process; None where it had ended, or nobody looked."""
        return self._known.get(pid, (0.0, None))[1]

    def _is_fresh(self, pid: int, seconds: float = _FRESH) -> bool:
        known = self._known.get(pid)
        return known is not None and time.monotonic() - known[0] < seconds


def read_figure(pid: int) -> Optional[Figure]:
    """The figures of a process; None if there is none."""
    try:
        words = _read(pid, "stat").rpartition(b")")[2].split()
        virtual, resident = (int(word) * _PAGE for word in _read(pid, "statm").split()[:2])
        cpu = (int(words[11]) + int(words[12])) / _TICKS
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / _TICKS
        parent, name = int(words[1]), _read(pid, "comm").strip().decode("utf-8", "replace")
    except (OSError, ValueError, IndexError):
        return None
    shares = _shares(pid)
    return Figure(
        pid=pid,
        ppid=parent,
        name=name,
        rss=resident,
        virtual=virtual,
        pss=shares.get("Pss"),
        uss=shares["Private_Clean"] + shares["Private_Dirty"] if "Private_Dirty" in shares else None,
        swap=shares.get("Swap"),
        cpu_percent=round(100.0 * cpu / max(0.01, age), 2),
    )


def _shares(pid: int) -> dict[str, int]:
    """The lines of smaps_rollup (Linux 4.14 and newer), in bytes; empty where it may not be read."""
    shares: dict[str, int] = {"Private_Clean": 0}
    with contextlib.suppress(OSError, ValueError):
        shares.update(shares_of(pid))
    return shares


def _read(pid: int, name: str) -> bytes:
    with open("/proc/%d/%s" % (pid, name), "rb") as file:
        return file.read()
