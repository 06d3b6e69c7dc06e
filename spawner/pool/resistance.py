"""An old release that goes on serving because the new one did not start (PassengerResistDeploymentErrors)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spawner.pool.states import ProcessState
from spawner.start_failure import StartFailure

if TYPE_CHECKING:
    from spawner.pool.group import Group
    from spawner.pool.pool import Pool


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


def holds_back(group: Group) -> bool:
    """Whether the group may start nothing: it would be the code that has failed, under the name of the old."""
    return group.pinned is not None and group.next_generation is None and not has_source(group)


def has_source(group: Group) -> bool:
    """Whether there is something that old code can be forked from."""
    preloader = group.preloader(group.generation) if group.uses_preloader else None
    return preloader is not None and preloader.state is ProcessState.READY


def give_way(pool: Pool, group: Group) -> None:
    """With no worker of the old release left, and nothing to fork one from, the newest code is tried again."""
    if group.pinned is None or group.active_workers() or has_source(group):
        return
    text = "nothing is left of generation %d of %s: the newest code is tried again" % (group.generation, group.key)
    pool.log("warn", group.key, 3531, text)
    group.pinned = None
    if group.next_generation is None:
        group.generation = group.last_generation
