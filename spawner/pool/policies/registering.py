"""What a registration makes of a group: changed options, a conflict, a minimum that the caps do not allow."""

from __future__ import annotations

import dataclasses

from spawner.pool.capacity import Capacity
from spawner.pool.effects import UpdateGroup
from spawner.pool.group import Group
from spawner.pool.policies import restarts
from spawner.pool.registration import Registration
from spawner.pool.states import GroupEvent


def register(group: Group, newer: Registration, capacity: Capacity, now: float) -> None:
    """Take over what is new in a registration; within one configuration the first one stays in force."""
    older = group.registration
    if newer.epoch >= older.epoch:
        if newer.epoch > older.epoch:
            group.logged.clear()
        else:
            if not older.agrees(newer):
                _log_conflict(group, newer)
            newer = dataclasses.replace(older, environment=newer.environment)
        _replace(group, newer, capacity, now)
    group.on(GroupEvent.REGISTER)
    _log_minimum(group, capacity)


def _replace(group: Group, newer: Registration, capacity: Capacity, now: float) -> None:
    older, group.registration = group.registration, newer
    if newer != older:
        group.emit(UpdateGroup(group.key))
    if older.needs_respawn(newer):
        group.log("notice", 3502, "the options of %s changed: restarting it" % group.key)
        restarts.restart(group, capacity, now)


def _log_conflict(group: Group, newer: Registration) -> None:
    text = (
        "app group %s is configured in two ways (%s differs for %s and for %s): the first stays in force until "
        "the next configuration; make them agree or give one of them a PassengerAppGroupName of its own"
    )
    older = group.registration
    differing = ", ".join(older.differences(newer))
    group.log_once("warn", 3501, text % (group.key, differing, older.server_name, newer.server_name))


def _log_minimum(group: Group, capacity: Capacity) -> None:
    minimum, most = group.registration.options.min_instances, capacity.cap(group)
    if minimum > most:
        text = (
            "PassengerMinInstances %d of %s cannot be held: PassengerMaxPoolSize, PassengerMaxInstancesPerApp and "
            "PassengerMaxInstances allow it %d"
        )
        group.log_once("warn", 3530, text % (minimum, group.key, most))
