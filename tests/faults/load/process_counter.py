"""Counts workers and preloaders in /proc, again and again while a `with` block runs."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Callable, Iterator

INTERVAL = 0.01  # seconds
TITLES = (b"jumpseat: worker of", b"jumpseat: preloader of", b"jumpseat: loading")


@dataclass(frozen=True)
class Look:
    """What it has seen at once, and when (CLOCK_MONOTONIC)."""

    begun: float
    ended: float
    workers: int
    preloaders: int


class ProcessCounter:
    """A child of the spawner is a preloader, a child of a preloader is a worker (its first parent that was seen)."""

    def __init__(self, spawner: Callable[[], int]) -> None:
        self._spawner = spawner
        self._parents: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._looks: list[Look] = []

    def __enter__(self) -> ProcessCounter:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)

    @property
    def samples(self) -> int:
        """How often it has looked."""
        return len(self._looks)

    def most_preloaders(self) -> int:
        """The most that there were at any moment."""
        return max(look.preloaders for look in self._looks)

    def most_workers(self, begin: float = 0.0, end: float = math.inf) -> int:
        """The most that there were at any moment between two (CLOCK_MONOTONIC)."""
        return max((look.workers for look in self._looks if begin < look.begun and look.ended < end), default=0)

    def _run(self) -> None:
        while not self._over.wait(INTERVAL):
            self._sample()

    def _sample(self) -> None:
        begun, spawner = time.monotonic(), self._spawner()
        seen = set()
        for parent, pid in _descendants(spawner):
            self._parents.setdefault(pid, parent)
            if _is_app(pid):
                seen.add(pid)
        alive = {pid for pid in seen if _is_app(pid)}  # all at the same moment: behind the last that was seen
        preloaders = {pid for pid in alive if self._parents[pid] == spawner}
        self._looks.append(Look(begun, time.monotonic(), len(alive) - len(preloaders), len(preloaders)))


def _descendants(pid: int) -> Iterator[tuple[int, int]]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield pid, child
                yield from _descendants(child)


def _is_app(pid: int) -> bool:
    """Whether it runs our loaders, and has not ended."""
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"loaders/python/start.py" in title or title.startswith(TITLES)
