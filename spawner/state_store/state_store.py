"""Stores groups and processes in the descriptor store, so that the next spawner can take them over."""

from __future__ import annotations

import secrets
from typing import Callable, Sequence

from spawner.errors import InternalError, PeerError
from spawner.logs.log import Log
from spawner.pool.group import Group
from spawner.pool.process import Process
from spawner.pool.reconciler import Changes
from spawner.processes.app_process import AppProcess, AppRegistry
from spawner.processes.group_resources import GroupResources
from spawner.state_store.descriptor_store import DescriptorStore
from spawner.state_store.records import (
    Fields,
    RecoveredGroup,
    RecoveredProcess,
    group_fields,
    group_state,
    process_fields,
    process_state,
    recovered_group,
    recovered_process,
)

# Fields that a record leaves out, one kind after the other, if it is too long, by the beginnings of their names.
# Warnings stand in the log, too, and variables come again with the next registration.
_OPTIONAL_FIELDS = ("warning", "env:")


class StateStore:
    """Writes records of what has changed, and reads those of the spawner before.

    :param restart_trigger_of: the state of a group's restart file, by the group's key.
    """

    def __init__(self, store: DescriptorStore, log: Log, restart_trigger_of: Callable[[str], str]) -> None:
        self._store = store
        self._log = log
        self._restart_trigger_of = restart_trigger_of
        self._groups: dict[str, object] = {}  # what was written last, by key
        self._processes: dict[int, object] = {}
        self._process_keys: dict[int, str] = {}  # of their records
        self._marked_groups: set[str] = set()
        self._marked_processes: set[int] = set()
        self._name = secrets.token_hex(4)  # of this spawner; its pid may have been that of an earlier one

    def recover(self, now: float) -> list[RecoveredGroup]:
        """What the spawner before has left; to be called before anything is written.

        :param now: seconds of CLOCK_MONOTONIC.
        """
        groups: dict[str, RecoveredGroup] = {}
        processes: list[RecoveredProcess] = []
        for record in self._store.recover():
            try:
                if record.get("type") == "group":
                    group = recovered_group(record)
                    groups[group.registration.key] = group
                else:
                    processes.append(recovered_process(record, now))
            except (PeerError, ValueError, OSError) as error:
                self._log.error(3030, "a record of the descriptor store cannot be used: %s" % error)
                record.close()
                self._store.remove(record.get("key"))
        for process in processes:
            if process.entry.key in groups:
                groups[process.entry.key].processes.append(process)
            else:
                process.close()
                self._store.remove(process.store_key)
        return list(groups.values())

    def process_recovered(self, process_id: int, store_key: str) -> None:
        """A process was taken over: its record keeps its key."""
        self._process_keys[process_id] = store_key

    def discard(self, group: RecoveredGroup) -> None:
        """Remove the records of a group that is not taken over, and of its processes."""
        self._store.remove(_group_key(group.registration.key))
        for process in group.processes:
            self._store.remove(process.store_key)

    def mark_group(self, key: str) -> None:
        """Write the record of a group again with the next `update`."""
        self._marked_groups.add(key)
        if key in self._groups:
            self._groups[key] = None

    def mark_process(self, process_id: int) -> None:
        """The record of a process may be out of date: check it with the next `update`."""
        self._marked_processes.add(process_id)

    def update(self, registry: AppRegistry, changes: Changes) -> None:
        """Write the records of what has changed, and remove those of what is gone.

        :param changes: since the last call.
        """
        for key in changes.groups | self._marked_groups:
            group, resources = registry.groups.entry(key), registry.groups.handle(key)
            if resources is None:
                self._remove_group(key)
            elif group is not None:
                self._update_group(group, resources)
        for process_id in changes.processes | self._marked_processes:
            entry, process = registry.processes.entry(process_id), registry.processes.handle(process_id)
            if process is None:
                self._remove_process(process_id)
            elif entry is not None:
                self.update_process(entry, process)
        self._marked_groups.clear()
        self._marked_processes.clear()

    def close(self) -> None:
        """Close the store; its records stay."""
        self._store.close()

    def _update_group(self, group: Group, resources: GroupResources) -> None:
        restart_trigger = self._restart_trigger_of(group.key)
        state = group_state(group, resources, restart_trigger)
        if self._groups.get(group.key) == state:
            return
        self._groups[group.key] = state
        descriptors = (resources.listener.fileno(), resources.scoreboard.descriptor)
        self._put("group", _group_key(group.key), group_fields(group, resources, restart_trigger), descriptors)

    def update_process(self, entry: Process, process: AppProcess) -> None:
        """Write the record of a process at once, if it is out of date."""
        state = process_state(entry, process)
        if self._processes.get(process.process_id) == state or process.line.descriptor < 0:
            return
        self._processes[process.process_id] = state
        key = self._process_keys.setdefault(process.process_id, "process %s.%d" % (self._name, process.process_id))
        descriptors = [process.line.descriptor, process.output.fileno()]
        if process.pidfd is not None:  # the pid alone may be another process's when it is read
            descriptors.append(process.pidfd)
        self._put("process", key, process_fields(entry, process), descriptors)

    def _put(self, kind: str, key: str, fields: Fields, descriptors: Sequence[int]) -> None:
        if min(descriptors) < 0:
            return
        try:
            self._put_what_fits(kind, key, fields, descriptors)
        except (OSError, InternalError) as error:
            text = "cannot write to the descriptor store, and would be lost with this spawner: %s: %s"
            self._log.error(3031, text % (key, error))

    def _put_what_fits(self, kind: str, key: str, fields: Fields, descriptors: Sequence[int]) -> None:
        """Write a record, if need be without its optional fields.

        :raises InternalError: it is too long without them.
        :raises OSError: the store is full.
        """
        for prefix in _OPTIONAL_FIELDS:
            try:
                self._store.put(kind, key, fields, descriptors)
                return
            except InternalError:
                fields = [pair for pair in fields if not pair[0].startswith(prefix)]
        self._store.put(kind, key, fields, descriptors)

    def _remove_group(self, key: str) -> None:
        if key in self._groups:
            del self._groups[key]
            self._remove(_group_key(key))

    def _remove_process(self, process_id: int) -> None:
        if process_id in self._processes:
            del self._processes[process_id]
            self._remove(self._process_keys.pop(process_id))

    def _remove(self, key: str) -> None:
        try:
            self._store.remove(key)
        except OSError as error:
            self._log.error(3032, "cannot remove a record from the descriptor store: %s: %s" % (key, error))


def _group_key(key: str) -> str:
    return "group " + key
