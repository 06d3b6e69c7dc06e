"""When which group has to be looked at next: a heap, so that neither the next deadline nor a change costs a scan."""

from __future__ import annotations

import heapq
from typing import Mapping, Optional


class Deadlines:
    """One deadline for each name at most. Times are seconds of CLOCK_MONOTONIC.

    A deadline that was moved or taken back stays in the heap until it comes to its top, and is dropped there; when most
    of the heap is of that kind, it is built anew.

    Invariant: for each name with a deadline the heap has an entry with that time.
    """

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, name: str, due: Optional[float]) -> None:
        """Move a name's deadline; None: it has none."""
        if due is None:
            self._due.pop(name, None)
        elif self._due.get(name) != due:
            self._due[name] = due
            heapq.heappush(self._heap, (due, name))
        if len(self._heap) > 2 * len(self._due) + 16:
            self._heap = [(due, name) for name, due in self._due.items()]
            heapq.heapify(self._heap)

    def next(self) -> Optional[float]:
        """The earliest deadline, None if there is none."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_passed(self, now: float) -> list[str]:
        """The names whose deadline has passed, the earliest first; they have none any more."""
        passed = []
        due = self.next()
        while due is not None and due <= now:
            name = heapq.heappop(self._heap)[1]
            del self._due[name]
            passed.append(name)
            due = self.next()
        return passed

    def check_invariants(self, expected: Mapping[str, float]) -> None:
        """To be called between two events.

        :param expected: every deadline that there is to be.
        :raises AssertionError: a rule does not hold.
        """
        differing = {name for name in expected.keys() | self._due.keys() if expected.get(name) != self._due.get(name)}
        assert not differing, "deadlines that were not moved along: %s" % sorted(differing)
        entries = set(self._heap)
        assert all((due, name) in entries for name, due in self._due.items()), "a deadline that is not in the heap"
