"""The releases of an app: what a restart brings in, and what goes on serving when the new one does not start."""

from __future__ import annotations

from dataclasses import dataclass

from spawner.start_failure import StartFailure


@dataclass(frozen=True)
class PinnedRelease:
    """What an app group resists.

    While it does, what lies on disk is the release that failed: the old preloader and idle workers are kept, and a
    lost worker is replaced by a fork of the old preloader only.

    :ivar generation: the one that did not come up.
    :ivar since: seconds of CLOCK_MONOTONIC.
    """

    generation: int
    since: float
    failure: StartFailure


@dataclass
class Restart:
    """One that is under way. It ends as completed, failed or superseded, and each is told once (`Progress`).

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
