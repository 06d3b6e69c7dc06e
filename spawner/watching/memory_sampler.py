"""Reads the memory of workers whose app has a limit (PassengerMemoryLimit, PassengerHardMemoryLimit)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Callable, Iterable, Mapping, Optional, Sequence

from spawner.logs.log import Log
from spawner.pool.group import Group
from spawner.processes.app_process import AppRegistry
from spawner.system.linux import Identity
from spawner.watching.memory_reader import MemoryReader, MemorySizes

_TIMEOUT = 2.0  # seconds; what has not come by then is read again with the next sample
_REPORT_BLOCKED = 10.0  # seconds for which the kernel has not answered for a process, before that is logged


def limited_size(sizes: MemorySizes) -> int:
    """The bytes that count against the limits: a process's share of memory, and what of it is swapped out."""
    return sizes.get("Pss", 0) + sizes.get("SwapPss", 0)


@dataclass(frozen=True)
class _Worker:
    key: str
    process_id: int
    pid: int
    identity: Identity


class MemorySampler:
    """Has no timer while no app with a limit has a worker.

    :param interval: seconds between two samples.
    :param on_sample: called with a group's key and the bytes of its workers, by the pool's process ids.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        registry: AppRegistry,
        reader: MemoryReader,
        interval: float,
        on_sample: Callable[[str, Mapping[int, int]], None],
        log: Log,
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._reader = reader
        self._interval = interval
        self._on_sample = on_sample
        self._log = log
        self._timer: Optional[asyncio.TimerHandle] = None
        self._task: "Optional[asyncio.Task[None]]" = None  # the sample that is being taken
        self._sampled: dict[str, None] = {}  # the keys of groups that have a limit and a worker
        self._reported: set[int] = set()  # pids

    def groups_changed(self, keys: Iterable[str]) -> None:
        """The pool has changed these groups: sample those that have a limit and workers from now on."""
        for key in keys:
            group = self._registry.groups.entry(key)
            if group is not None and _has_limit(group) and any(process.serving for process in group.workers()):
                self._sampled[key] = None
            else:
                self._sampled.pop(key, None)
        if self._timer is None and self._sampled:
            self._timer = self._loop.call_later(self._interval, self._start)

    def close(self) -> None:
        """Sample no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        self._timer = None
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._sample(self._workers()))
        self.groups_changed(())

    def _workers(self) -> list[_Worker]:
        found = []
        for key in self._sampled:
            group = self._registry.groups.entry(key)
            for entry in group.workers() if group is not None else ():
                process = self._registry.processes.handle(entry.process_id)
                if entry.serving and process is not None and process.pid:
                    found.append(_Worker(key, entry.process_id, process.pid, process.identity))
        return found

    async def _sample(self, workers: Sequence[_Worker]) -> None:
        known = await self._reader.memory_of([(one.pid, one.identity) for one in workers], _TIMEOUT)
        samples: dict[str, dict[int, int]] = {}
        for worker in workers:
            sizes = known.get(worker.pid)
            if sizes is not None:
                samples.setdefault(worker.key, {})[worker.process_id] = limited_size(sizes)
        for key, sample in samples.items():
            self._on_sample(key, sample)
        self._report_blocked(workers)

    def _report_blocked(self, workers: Sequence[_Worker]) -> None:
        """Log once for a process that no limit holds for it, because its memory cannot be read."""
        blocked = {one.pid: one for one in workers if self._reader.blocked_for(one.pid) >= _REPORT_BLOCKED}
        self._reported &= blocked.keys()
        text = "the kernel does not tell the memory of process %d of %s: PassengerMemoryLimit does not hold for it"
        for pid in blocked.keys() - self._reported:
            self._log.error(3111, text % (pid, blocked[pid].key))
        self._reported |= blocked.keys()


def _has_limit(group: Group) -> bool:
    options = group.registration.options
    return options.memory_limit > 0 or options.hard_memory_limit > 0
