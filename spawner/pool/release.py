"""The releases of one app: the code that serves, the code that a restart brings in, the code that is held on to.

A restart gives the code that lies on disk at that moment a number of its own: its generation. `Release` is the only
writer of generations; what its methods have to tell others goes into the outbox as effects.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Collection, Optional

from spawner.pool.effects import NoteDeployment, Outbox, Progress
from spawner.start_failure import StartFailure

MAX_START_OVERS = 3  # restarts in a row that may drop a generation which has not come up yet
DRAIN_SECONDS = 2.0  # a restart waits this long in all for retired workers before it stops counting them


@dataclass(frozen=True)
class PinnedRelease:
    """Why an old release goes on serving: a newer one did not start (PassengerResistDeploymentErrors).

    While a release is pinned, the code on disk is the one that failed: the old preloader and idle workers are kept, and
    a lost worker is replaced by a fork of the old preloader only.

    :ivar generation: the one that did not come up.
    :ivar since: seconds of CLOCK_MONOTONIC.
    """

    generation: int
    since: float
    failure: StartFailure


@dataclass
class Restart:
    """A restart under way. It ends as completed, failed or superseded, and each is told once (`Progress`).

    :ivar generation: that it brings in.
    :ivar began: seconds of CLOCK_MONOTONIC.
    :ivar total: workers that it is to bring up.
    :ivar done: those that serve.
    """

    generation: int
    began: float
    total: int
    done: int = 0
    stage: str = "loading"


@dataclass(frozen=True)
class QueuedRestart:
    """A restart that begins when the generation under way has come up or failed.

    :ivar method: `rolling`, `blocking`, or None: as configured.
    :ivar start_if_cold: start the app even if it has no process.
    """

    method: Optional[str]
    start_if_cold: bool


class Release:
    """Which generations of an app there are, and how far its restart is.

    :param key: of the app group.
    :param generation: the one that serves.
    :param pinned: what an earlier spawner has pinned.
    """

    def __init__(
        self, key: str, outbox: Outbox, generation: int = 1, pinned: Optional[PinnedRelease] = None
    ) -> None:
        self._key = key
        self._outbox = outbox
        self._current = generation
        self._next: Optional[int] = None
        self._newest = generation
        self._last_good = 0
        self._pinned = pinned
        self._restart: Optional[Restart] = None
        self._queued: Optional[QueuedRestart] = None
        self._start_overs = 0
        self._drain_until = 0.0

    # What there is

    @property
    def current(self) -> int:
        """The generation that serves. Older workers are what a restart has still to replace."""
        return self._current

    @property
    def next(self) -> Optional[int]:
        """During a rolling restart the generation that has yet to prove itself by a worker that accepts."""
        return self._next

    @property
    def newest(self) -> int:
        """The highest generation that was ever given out."""
        return self._newest

    @property
    def wanted(self) -> int:
        """The generation that new workers are to be of."""
        return self._current if self._next is None else self._next

    @property
    def last_good(self) -> int:
        """The newest generation of which a worker has accepted; 0: none has yet."""
        return self._last_good

    @property
    def pinned(self) -> Optional[PinnedRelease]:
        """Why the current release is held on to, if it is."""
        return self._pinned

    @property
    def restart(self) -> Optional[Restart]:
        """The restart under way."""
        return self._restart

    @property
    def queued(self) -> Optional[QueuedRestart]:
        """The restart that waits for the one under way."""
        return self._queued

    @property
    def drain_until(self) -> float:
        """Until when a restart counts retired workers among those that take memory; 0: it does not."""
        return self._drain_until

    @property
    def generation_to_store(self) -> int:
        """The generation that another spawner is to go on from: a queued restart is one more."""
        return self._newest + (self._queued is not None)

    # A restart begins

    def must_queue(self, unproven: bool) -> bool:
        """Whether a restart has to wait for the generation under way.

        A generation under way is started over, but not for ever: an app that is touched more often than it takes to
        load would never come up.

        :param unproven: there is a generation under way.
        """
        return unproven and self._start_overs >= MAX_START_OVERS

    def queue(self, method: Optional[str], start_if_cold: bool) -> int:
        """Have a restart wait.

        :returns: the generation that it will bring in.
        """
        start_if_cold = start_if_cold or (self._queued is not None and self._queued.start_if_cold)
        self._queued = QueuedRestart(method, start_if_cold)
        return self._newest + 1

    def begin(self, now: float, total: int, unproven: bool) -> int:
        """A restart begins; what was under way is superseded.

        :param unproven: the restart drops a generation that has not come up yet.
        :returns: the generation that it brings in.
        """
        self._start_overs = self._start_overs + 1 if unproven else 0
        self._queued = None
        self._enter_restart(now, total)
        return self._newest

    def start_queued(self, now: float, total: int) -> None:
        """Whatever starts from now on has the code of the queued restart: that one is under way."""
        if self._queued is not None:
            self._queued = None
            self._enter_restart(now, total)

    def _enter_restart(self, now: float, total: int) -> None:
        self.tell("superseded")
        self._newest += 1
        self._restart = Restart(self._newest, now, total)
        self.tell("loading")

    def load_beside(self, drain_until: float) -> None:
        """The newest generation is loaded while the current one serves."""
        self._next = self._newest
        self._drain_until = drain_until

    def use_newest(self) -> None:
        """The newest generation is the one that serves, whether it has come up or not."""
        self._current, self._next, self._pinned = self._newest, None, None

    def count_first_workers(self, target: int) -> None:
        """An app without workers has nothing to replace: what it is to have now is what the restart brings up."""
        if self._restart is not None:
            self._restart.total = max(self._restart.total, target)

    # A restart goes on

    def worker_accepts(self, generation: int, serving: int, now: float) -> bool:
        """A worker accepts.

        :param serving: workers of the wanted generation that do.
        :returns: whether the next generation has become the current one.
        """
        if generation > self._last_good:
            self._last_good = generation
            self._outbox.emit(NoteDeployment(self._key, generation, None))
        if self._pinned is not None and generation >= self._pinned.generation:
            self._pinned = None
        promoted = generation == self._next
        if promoted:
            self._current, self._next = generation, None
            self._drain_until = now + DRAIN_SECONDS
        if self._restart is not None and self._restart.generation == generation:
            self._restart.done = min(self._restart.total, serving)
            self.tell("replacing")
        return promoted

    def starts_succeed(self) -> None:
        """What is under way has come up: restarts may drop others from now on."""
        self._start_overs = 0

    def drained(self) -> None:
        """Retired workers have had the time that a restart waits for them."""
        self._drain_until = 0.0

    def tell(self, stage: str, failure: Optional[StartFailure] = None) -> None:
        """Tell those who wait for the restart under way how it stands.

        :param stage: see `Progress`; empty: the one of before.
        """
        restart = self._restart
        if restart is not None:
            restart.stage = stage or restart.stage
            values = (restart.generation, restart.stage, restart.done, restart.total)
            self._outbox.emit(Progress(self._key, *values, failure))

    # A restart ends

    def complete(self) -> None:
        """Nothing older is left, and what there is, if anything is to be, serves."""
        self.tell("completed")
        self._restart = None

    def fail(self, failure: StartFailure) -> None:
        """What the restart has brought does not start, and is not tried again by itself.

        With a restart queued, that one takes over, and nothing has failed yet.
        """
        if self._restart is not None and self._queued is None:
            self._outbox.emit(NoteDeployment(self._key, self._restart.generation, failure))
            self.tell("failed", failure)
            self._restart = None

    def complete_with_fewer(self, failure: StartFailure) -> None:
        """The restart ends with fewer workers than it was to bring up: further ones do not start."""
        if self._restart is not None:
            summary = "only %d of %d workers came up: %s" % (self._restart.done, self._restart.total, failure.summary)
            self.tell("failed", dataclasses.replace(failure, summary=summary))
            self._restart = None

    def pin(self, failure: StartFailure, now: float) -> int:
        """The next generation has failed: the current one is held on to.

        :returns: the generation that has failed.
        """
        failed = self._next
        assert failed is not None
        self._next = None
        self._pinned = PinnedRelease(max(failed, self._pinned.generation if self._pinned else 0), now, failure)
        return failed

    def unpin(self) -> None:
        """Nothing is left of the release that was held on to: the newest code is tried again."""
        self._pinned = None
        if self._next is None:
            self._current = self._newest

    def drop_current(self) -> None:
        """The next generation takes the place of the current one, though it has not come up: the old one is lost."""
        if self._next is not None:
            self._current, self._next, self._pinned = self._next, None, None

    def fall_back(self, generation: int) -> None:
        """What the current generation had brought up is lost: an older one serves, and the current is tried again."""
        self._current, self._next = generation, self._current

    def keep(self, generation: int) -> None:
        """The newest generation that serves becomes the current one: nothing may be started that is newer."""
        self._current = generation

    def close(self) -> None:
        """The group ends: nobody is to wait for its restart."""
        self._next, self._pinned, self._queued = None, None, None
        self.tell("failed", StartFailure("prepare", "%s ends: it is not configured any more" % self._key))
        self._restart = None

    # What an earlier spawner left

    def resume_idle(self, found: Collection[int], ready: Collection[int]) -> None:
        """No worker serves: the newest code is next, unless a release is pinned that a preloader still has.

        :param found: the generations of all processes.
        :param ready: those of preloaders that can fork.
        """
        self._newest = max([*found, self._current])
        older = [one for one in ready if self._pinned is not None and one < self._pinned.generation]
        self._current = max(older, default=self._newest)
        if not older:
            self._pinned = None

    def resume_serving(self, found: Collection[int], serving: Collection[int], tries_next: bool) -> None:
        """The newest generation that serves is the current one; a newer one is next, unless it has failed already.

        :param found: the generations of all processes.
        :param tries_next: a generation that is newer than what serves may be loaded beside it.
        """
        self._newest = max([*found, self._current])
        self._current = self._last_good = max(serving)
        if self._pinned is not None and self._current >= self._pinned.generation:
            self._pinned = None
        tried = self._current if self._pinned is None else self._pinned.generation
        self._next = self._newest if self._newest > tried and tries_next else None

    def resume_restart(self, now: float, total: int) -> None:
        """A restart was under way: whoever waits for it is told of this one."""
        if self._next is not None or self._pinned is None:
            self._restart = Restart(self.wanted, now, total)

    def check_invariants(self) -> None:
        """To be called between two events.

        :raises AssertionError: a rule does not hold.
        """
        assert self._current <= self._newest, "%s: the current generation was never given out" % self._key
        assert self._last_good <= self._newest, "%s: the last good generation was never given out" % self._key
        if self._next is not None:
            assert self._current < self._next <= self._newest, "%s: the next generation is not newer" % self._key
        if self._pinned is not None:
            assert self._current < self._pinned.generation, "%s: pinned, and what has failed serves" % self._key
        if self._restart is not None:
            assert self._restart.generation <= self._newest, "%s: a restart to no generation" % self._key
            assert 0 <= self._restart.done <= self._restart.total or not self._restart.total, self._key
