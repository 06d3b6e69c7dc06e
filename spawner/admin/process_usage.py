"""The CPU time and memory of processes, from /proc: what the kernel tells at once in the loop, the rest in threads."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, replace
from typing import Callable, Iterable, Mapping, Optional

from spawner.system.linux import Identity
from spawner.watching.memory_reader import MemoryReader, MemorySizes

_FRESH = 1.0  # seconds for which a value is used again: many clients cost no more than one
_TIMEOUT = 2.0  # seconds without a further result from the kernel, after which the rest is unknown
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class ProcessUsage:
    """One process at one moment. Sizes are bytes; None for those that are unknown.

    :ivar name: the kernel's name of the process, at most 15 bytes. The command line is not read: it lies in the memory
        of the process, which can make the reader wait.
    :ivar cpu_percent: CPU time since its start, in percent of one processor.
    :ivar pss: its own pages and its share of those that several processes have (proc(5)).
    :ivar uss: the pages that only it has: what its end would free.
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


class UsageReader:
    """Reads processes and keeps what it has read for a moment.

    :param memory: reads what the kernel may take long for.
    :param identities: the users that processes run as, by pid, as far as they are known.
    """

    def __init__(self, memory: MemoryReader, identities: Callable[[], Mapping[int, Identity]]) -> None:
        self._memory = memory
        self._identities = identities
        self._known: dict[int, tuple[float, Optional[ProcessUsage]]] = {}

    async def read(self, pids: Iterable[int]) -> None:
        """Read the processes whose values are not fresh. The loop serves others after each process."""
        found: dict[int, Optional[ProcessUsage]] = {}
        for pid in dict.fromkeys(pids):
            if pid > 0 and not self._is_fresh(pid):
                found[pid] = read_usage(pid)
                await asyncio.sleep(0)
        identities = self._identities()
        targets = [(pid, identities.get(pid)) for pid, usage in found.items() if usage is not None]
        sizes = await self._memory.memory_of(targets, _TIMEOUT)
        for pid, usage in found.items():
            self._known[pid] = (time.monotonic(), usage and _with_shares(usage, sizes.get(pid) or {}))
        for pid in [pid for pid in self._known if not self._is_fresh(pid, 10 * _FRESH)]:
            del self._known[pid]

    def usage_of(self, pid: int) -> Optional[ProcessUsage]:
        """What was read of a process last; None if it had ended, or was not read."""
        return self._known.get(pid, (0.0, None))[1]

    def _is_fresh(self, pid: int, seconds: float = _FRESH) -> bool:
        known = self._known.get(pid)
        return known is not None and time.monotonic() - known[0] < seconds


def read_usage(pid: int) -> Optional[ProcessUsage]:
    """What the kernel tells of a process at once, without its shares of memory; None if there is no such process."""
    try:
        words = _read(pid, "stat").rpartition(b")")[2].split()
        virtual, resident = (int(word) * _PAGE for word in _read(pid, "statm").split()[:2])
        cpu = (int(words[11]) + int(words[12])) / _TICKS
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / _TICKS
        parent, name = int(words[1]), _read(pid, "comm").strip().decode("utf-8", "replace")
    except (OSError, ValueError, IndexError):
        return None
    percent = round(100.0 * cpu / max(0.01, age), 2)
    return ProcessUsage(pid=pid, ppid=parent, name=name, rss=resident, virtual=virtual, cpu_percent=percent)


def _with_shares(usage: ProcessUsage, sizes: MemorySizes) -> ProcessUsage:
    own = sizes["Private_Dirty"] + sizes.get("Private_Clean", 0) if "Private_Dirty" in sizes else None
    return replace(usage, pss=sizes.get("Pss"), uss=own, swap=sizes.get("Swap"))


def _read(pid: int, name: str) -> bytes:
    with open("/proc/%d/%s" % (pid, name), "rb") as file:
        return file.read()
