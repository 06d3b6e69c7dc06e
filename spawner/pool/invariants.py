"""The safety rules of the pool as a whole; those of a group are in group.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spawner.pool import room

if TYPE_CHECKING:
    from spawner.pool.pool import Pool


def check(pool: Pool) -> None:
    """To be called between two events.

    :raises AssertionError: a rule does not hold.
    """
    above = 0
    for group in pool.groups.values():
        group.check_invariants()
        above += group.one_more
        assert all(pool.processes[number] is process for number, process in group.processes.items())
        most = room.cap(pool, group) + group.one_more
        active = len(group.active_workers())
        assert active <= most, "%s: %d workers, %d allowed" % (group.key, active, most)
    active = pool.worker_count()
    assert active <= pool.server.max_pool_size + above + pool.excess, "%d workers in the pool" % active
