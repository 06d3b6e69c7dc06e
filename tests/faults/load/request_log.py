"""What the app tests/apps/request_log has logged: which process has begun and ended which request."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Counter


class RequestLog:
    """The whole log, as it is when this object is made."""

    def __init__(self, events: Path) -> None:
        self.begun: dict[int, list[str]] = {}
        self.ended: dict[int, set[str]] = {}
        #: Each out-of-band work that is done: CLOCK_MONOTONIC at begin and end, and the process.
        self.works: list[tuple[float, float, int]] = []
        for path in events.glob("requests-*"):
            lines = path.read_text().splitlines()
            pid = int(path.name.partition("-")[2])
            self.begun[pid] = [line[1:] for line in lines if line.startswith("+")]
            self.ended[pid] = {line[1:] for line in lines if line.startswith("-")}
            spans = [line[1:].split() for line in lines if line.startswith("w")]
            self.works += [(float(begun), float(ended), pid) for begun, ended in spans]
        self.works.sort()

    def unfinished(self, pid: int) -> list[str]:
        """The requests that a process has begun and not ended."""
        return [identity for identity in self.begun.get(pid, []) if identity not in self.ended[pid]]

    def possibly_lost(self, pid: int, at_once: int = 1) -> set[str]:
        """What may be lost if it is killed: those, and the last ones, whose answers may not have been sent."""
        return {*self.unfinished(pid), *self.begun.get(pid, [])[-at_once:]}

    def times_begun(self) -> Counter[str]:
        return collections.Counter(identity for begun in self.begun.values() for identity in begun)
