"""What became of one request, and what became of all of them."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import Counter, Iterable

from load.kinds import Kind

ANSWERED, FAILED, CLOSED_WHILE_IDLE = "answered", "failed", "closed while idle"


@dataclass
class Outcome:
    """One request. `begun`: CLOCK_MONOTONIC, seconds. `release` and `pid`: who answered; empty and 0 if nobody did.

    `route`: the cookie that the client has afterwards.
    """

    kind: Kind
    identity: str
    begun: float
    protocol: str = "HTTP/1.1"
    seconds: float = 0.0
    result: str = FAILED
    detail: str = ""
    release: str = ""
    pid: int = 0
    route: str = ""

    @property
    def ended(self) -> float:
        return self.begun + self.seconds

    @property
    def late(self) -> bool:
        return self.seconds > self.kind.late_after

    def overlaps(self, spans: Iterable[tuple[float, float]]) -> bool:
        """Whether it was under way at any moment of these spans."""
        return any(self.begun <= end and self.ended >= begin for begin, end in spans)

    def __str__(self) -> str:
        return f"{self.protocol} {self.kind.name} {self.identity} after {self.seconds * 1000:.0f} ms: {self.detail}"


@dataclass
class Result:
    """All requests of a load. `twice`: ids that the app has begun more than once; nobody may repeat a request."""

    outcomes: list[Outcome] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    def of(self, result: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.result == result]

    @property
    def sent(self) -> int:
        return len(self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        return self.of(FAILED)

    @property
    def closed_while_idle(self) -> list[Outcome]:
        return self.of(CLOSED_WHILE_IDLE)

    @property
    def late(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.late]

    @property
    def releases(self) -> Counter[str]:
        """How many answers each release has given."""
        return collections.Counter(outcome.release for outcome in self.of(ANSWERED))

    def percentile(self, share: float, kind: str = "") -> float:
        """Milliseconds beyond what the kind takes by itself; of all answers or of those of one kind."""
        seconds = sorted(
            outcome.seconds - outcome.kind.seconds
            for outcome in self.of(ANSWERED)
            if not kind or outcome.kind.name == kind
        )
        return 1000 * seconds[min(len(seconds) - 1, int(len(seconds) * share))] if seconds else 0.0

    def row(self) -> dict[str, str]:
        """For the report."""
        return {
            "sent": str(self.sent),
            "HTTP/2": str(sum(outcome.protocol == "HTTP/2" for outcome in self.outcomes) or ""),
            "failed": str(len(self.failed)),
            "late": str(len(self.late)),
            "closed while idle": str(len(self.closed_while_idle)),
            "p50 ms": f"{self.percentile(0.5):.0f}",
            "p99 ms": f"{self.percentile(0.99):.0f}",
            "longest ms": f"{self.percentile(1.0):.0f}",
        }

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.row().items())
        bad = [*self.failed, *self.late]
        lines = [f"  {outcome}" for outcome in bad[:20]]
        return "\n".join([facts, *lines, *([f"  begun twice: {self.twice[:20]}"] if self.twice else [])])
