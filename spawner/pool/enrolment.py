"""What a registration makes of a group: new, changed, or in conflict with another one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from spawner.pool import room
from spawner.pool.effects import CreateGroup, UpdateGroup
from spawner.pool.group import Group
from spawner.pool.states import GroupEvent

if TYPE_CHECKING:
    from spawner.pool.pool import Pool
    from spawner.pool.registration import Registration


def enrol(pool: Pool, registration: Registration, now: float) -> Group:
    """The group of a registration, with what is new in it."""
    group = pool.groups.get(registration.key)
    if group is None:
        group = pool.groups[registration.key] = Group(registration, last_active=now)
        pool.emit(CreateGroup(group.key))
    else:
        _update(pool, group, registration, now)
    group.on(GroupEvent.REGISTER)
    _warn_of_minimum(pool, group)
    return group


def _update(pool: Pool, group: Group, newer: Registration, now: float) -> None:
    older = group.registration
    if newer.epoch < older.epoch:
        return
    if newer.epoch == older.epoch:
        if not older.agrees(newer):
            _warn_of_conflict(pool, group, newer)
        newer = dataclasses.replace(older, environment=newer.environment)
    else:
        group.conflict_told = group.minimum_told = group.memory_told = False
    group.registration = newer
    if newer != older:
        pool.emit(UpdateGroup(group.key))
    if older.needs_respawn(newer):
        pool.log("notice", group.key, 3502, "the options of %s changed: restarting it" % group.key)
        pool.restart(group.key, now)


def _warn_of_conflict(pool: Pool, group: Group, newer: Registration) -> None:
    if not group.conflict_told:
        group.conflict_told = True
        text = (
            "app group %s is configured in two ways (%s differs for %s and for %s): the first stays in force until "
            "the next configuration; make them agree or give one of them a PassengerAppGroupName of its own"
        )
        older = group.registration
        differing = ", ".join(older.differences(newer))
        pool.log("warn", group.key, 3501, text % (group.key, differing, older.server_name, newer.server_name))


def _warn_of_minimum(pool: Pool, group: Group) -> None:
    minimum, most = group.registration.options.min_instances, room.cap(pool, group)
    if minimum > most and not group.minimum_told:
        group.minimum_told = True
        text = (
            "PassengerMinInstances %d of %s cannot be held: PassengerMaxPoolSize, PassengerMaxInstancesPerApp and "
            "PassengerMaxInstances allow it %d"
        )
        pool.log("warn", group.key, 3530, text % (minimum, group.key, most))
