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
            newer = _within_configuration(group, newer)
        _replace(group, newer, capacity, now)
    group.on(GroupEvent.REGISTER)
    _log_minimum(group, capacity)


def _within_configuration(group: Group, newer: Registration) -> Registration:
    """What holds when a configuration brings a second registration of an app: the first, with the newest environment.

    The options of .htaccess files hold without a new configuration. Those that were read last are in force.
    """
    older = group.registration
    if not newer.htaccess:
        if not older.agrees(newer):
            _log_conflict(group, newer)
        return dataclasses.replace(older, environment=newer.environment)
    if newer.htaccess_read_at <= older.htaccess_read_at:
        return dataclasses.replace(older, environment=newer.environment)
    if older.agrees(newer):
        read_at = newer.htaccess_read_at
        return dataclasses.replace(older, environment=newer.environment, htaccess_read_at=read_at)
    return dataclasses.replace(
        newer,
        public_dir=older.public_dir,
        base_uri=older.base_uri,
        server_name=older.server_name,
        error_log=older.error_log,
        vhost_id=older.vhost_id,
    )


def _replace(group: Group, newer: Registration, capacity: Capacity, now: float) -> None:
    older, group.registration = group.registration, newer
    if newer != older:
        group.emit(UpdateGroup(group.key))
    if older.needs_respawn(newer):
        group.log("notice", 3502, "options changed, restarting the app: %s" % group.key)
        restarts.restart(group, capacity, now)


def _log_conflict(group: Group, newer: Registration) -> None:
    text = (
        "app group configured in two ways: %s: %s differs between %s and %s; the first stays in force until the next "
        "configuration: make them agree, or give one of them its own PassengerAppGroupName"
    )
    older = group.registration
    differing = ", ".join(older.differences(newer))
    group.log_once("warn", 3501, text % (group.key, differing, older.server_name, newer.server_name))


def _log_minimum(group: Group, capacity: Capacity) -> None:
    minimum, most = group.registration.options.min_instances, capacity.cap(group)
    if minimum > most:
        text = (
            "PassengerMinInstances cannot be reached: %s: it is %d, and PassengerMaxPoolSize, "
            "PassengerMaxInstancesPerApp and PassengerMaxInstances allow %d"
        )
        group.log_once("warn", 3530, text % (group.key, minimum, most))
