"""When the next start of an app may be tried, after starts that failed and workers that ended at once."""

from __future__ import annotations

from typing import Optional

from spawner.start_failure import StartFailure

PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # seconds until the next try, by failures in a row
MIN_UPTIME_SECONDS = 1.0  # a worker that ends by itself so soon, and was in no request, counts towards a crash loop
CRASH_LOOP = 3  # such workers in a row, until the next one has to wait


class Backoff:
    """The failures of one group, and the pauses that follow. Times are seconds of CLOCK_MONOTONIC.

    Invariant: with `failures` there is a `failure`.
    """

    def __init__(self) -> None:
        self.failure: Optional[StartFailure] = None  # of the last start that failed, until one succeeds
        self.failed_at = 0.0
        self.failures = 0  # in a row
        self.retry_at = 0.0  # requests of an app without workers are answered 500 before
        self.start_after = 0.0  # an app that serves starts no further worker before; 0: it may at any time
        self._failed_generation = 0
        self._early_exits = 0

    def clear(self) -> None:
        """A restart brings other code: what has failed before says nothing about it."""
        self.failure, self.failures, self.start_after = None, 0, 0.0

    def start_failed(self, failure: StartFailure, generation: int, now: float) -> None:
        """Remember why a start failed, of which generation, and when to try again."""
        self.failure = failure
        self.failed_at = now
        self._failed_generation = generation
        self.retry_at = now + PAUSES[min(self.failures, len(PAUSES) - 1)]
        self.failures += 1

    def start_succeeded(self, generation: int) -> bool:
        """A worker came up: what failed of its generation or an older one is mended, but not a newer release.

        :returns: whether it is mended.
        """
        mended = generation >= self._failed_generation
        if mended:
            self.failure, self.failures = None, 0
        return mended

    def worker_ended(self, early: bool, now: float) -> None:
        """A worker has ended by itself: the next one comes at once, but not for ever as fast as the machine can.

        :param early: it has done nothing, and was up for less than MIN_UPTIME_SECONDS.
        """
        self._early_exits = self._early_exits + 1 if early else 0
        late = self._early_exits - CRASH_LOOP
        if late >= 0:
            self.pause_for(PAUSES[min(late, 2)], now)

    def retry_at_once(self, now: float) -> None:
        """The next request is not kept waiting."""
        self.retry_at = now

    def pause(self) -> None:
        """No further worker is started before the next try is due."""
        self.start_after = self.retry_at

    def pause_for(self, seconds: float, now: float) -> None:
        """No further worker is started for some time."""
        self.start_after = max(self.start_after, now + seconds)

    def pass_time(self, now: float) -> None:
        """Drop a pause that is over."""
        if self.start_after <= now:
            self.start_after = 0.0
