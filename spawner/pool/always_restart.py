"""always_restart.txt: no worker is kept, each request gets a process that has loaded the code that is there then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spawner.pool import restarting, spawning
from spawner.pool.states import GroupState

if TYPE_CHECKING:
    from spawner.pool.group import Group
    from spawner.pool.pool import Pool

IDLE_SECONDS = 2.0  # a process whose request did not come, for its client has left, goes after this


def switch(pool: Pool, group: Group, on: bool, now: float) -> None:
    """The file is there now, or it is gone. What was kept goes when it has finished its requests.

    Without the file an app with a process keeps as many as PassengerMinInstances again.
    """
    if group.always_restart == on or group.state is GroupState.CLOSING:
        return
    group.always_restart = on
    text = "always_restart.txt: each request of %s gets a process of its own"
    pool.log("notice", group.key, 3538, (text if on else "always_restart.txt of %s is gone") % group.key)
    if on:
        restarting.go_over_to_waiting(pool, group, now)
        group.generation, group.next_generation = group.last_generation, None
        group.pinned = None
        for process in list(group.processes.values()):
            if process.starting and not process.single_request:
                restarting.terminate(pool, process, now, "always_restart.txt")
            elif not process.single_request:
                pool.retire(process, now)
    elif group.target:
        group.target = max(group.target, spawning.first_size(pool, group))
    pool.settle(group, now)


def let_go(group: Group) -> None:
    """A process goes: no other one takes its place, but those that wait get one each."""
    if group.always_restart:
        group.target = min(group.target, len(group.active_workers()))
