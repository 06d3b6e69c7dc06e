"""What the scoreboard shows of one worker at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One look at a worker's slot (docs/protocol.md, section 6): figures that the worker has written itself.

    :ivar running: requests that it is in.
    :ivar capacity: requests that it can be in; at least 1.
    :ivar requests: served since its start.
    :ivar idle_since: seconds of CLOCK_MONOTONIC; when it last had none, never in the future.
    :ivar working: it is at its out-of-band work.
    :ivar overdue: a request of it has passed its deadline (PassengerMaxRequestTime).
    """

    running: int
    capacity: int
    requests: int
    idle_since: float
    working: bool = False
    overdue: bool = False

    @property
    def busy(self) -> bool:
        """Whether it is in a request or at its out-of-band work."""
        return self.running > 0 or self.working

    @property
    def full(self) -> bool:
        """Whether it can take no more requests."""
        return self.working or self.running >= self.capacity
