"""What processes cost, read from /proc: what the kernel tells at once by the loop, the shares of memory by a thread."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, replace
from typing import Callable, Iterable, Mapping, Optional

from spawner.system.linux import Identity
from spawner.system.smaps import Shares
from spawner.watching.memory_reader import MemoryReader

_FRESH = 1.0  # seconds for which what was read is told again: many who watch cost no more than one
_PATIENCE = 2.0  # seconds without a further answer, after which what has not come is not known
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
    cpu_percent: float
    pss: Optional[int] = None
    uss: Optional[int] = None
    swap: Optional[int] = None

    def memory(self) -> dict[str, Optional[int]]:
        """The sizes by name, as answers have them."""
        return {"rss": self.rss, "pss": self.pss, "uss": self.uss, "swap": self.swap}


class Figures:
    """Remembers for a moment what was read.

    :param reader: of the shares of memory, which the kernel may take long for.
    :param identities: gives, by pid, whom processes run as, as far as that is known.
    """

    def __init__(self, reader: MemoryReader, identities: Callable[[], Mapping[int, Identity]]) -> None:
        self._reader = reader
        self._identities = identities
        self._known: dict[int, tuple[float, Optional[Figure]]] = {}

    async def look(self, pids: Iterable[int]) -> None:
        """Read what is not known freshly. The loop has its turn after each process."""
        found: dict[int, Optional[Figure]] = {}
        for pid in dict.fromkeys(pids):
            if pid > 0 and not self._is_fresh(pid):
                found[pid] = read_figure(pid)
                await asyncio.sleep(0)
        identities = self._identities()
        subjects = [(pid, identities.get(pid)) for pid, figure in found.items() if figure is not None]
        shares = await self._reader.memory_of(subjects, _PATIENCE)
        for pid, figure in found.items():
            self._known[pid] = (time.monotonic(), figure and _with_shares(figure, shares.get(pid) or {}))
        for pid in [pid for pid in self._known if not self._is_fresh(pid, 10 * _FRESH)]:
            del self._known[pid]

    def of(self, pid: int) -> Optional[Figure]:
        """What was read of a process; None where it had ended, or nobody looked."""
        return self._known.get(pid, (0.0, None))[1]

    def _is_fresh(self, pid: int, seconds: float = _FRESH) -> bool:
        known = self._known.get(pid)
        return known is not None and time.monotonic() - known[0] < seconds


def read_figure(pid: int) -> Optional[Figure]:
    """The figures of a process, without its shares of memory; None if there is none. It never waits for the process."""
    try:
        words = _read(pid, "stat").rpartition(b")")[2].split()
        virtual, resident = (int(word) * _PAGE for word in _read(pid, "statm").split()[:2])
        cpu = (int(words[11]) + int(words[12])) / _TICKS
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / _TICKS
        parent, name = int(words[1]), _read(pid, "comm").strip().decode("utf-8", "replace")
    except (OSError, ValueError, IndexError):
        return None
    share = round(100.0 * cpu / max(0.01, age), 2)
    return Figure(pid=pid, ppid=parent, name=name, rss=resident, virtual=virtual, cpu_percent=share)


def _with_shares(figure: Figure, shares: Shares) -> Figure:
    own = shares["Private_Dirty"] + shares.get("Private_Clean", 0) if "Private_Dirty" in shares else None
    return replace(figure, pss=shares.get("Pss"), uss=own, swap=shares.get("Swap"))


def _read(pid: int, name: str) -> bytes:
    with open("/proc/%d/%s" % (pid, name), "rb") as file:
        return file.read()
