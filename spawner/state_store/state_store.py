"""Keeps the descriptor store in line with what there is, and tells a new spawner what the one before it had."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import socket
from dataclasses import dataclass, field
from typing import Mapping, Optional, Sequence

from spawner.errors import InternalError, PeerError
from spawner.httpd.registration_wire import fields_of, registration_from
from spawner.logs.log import Log
from spawner.pool.group import Group
from spawner.pool.pool import Pool
from spawner.pool.process import Process
from spawner.pool.registration import Registration
from spawner.pool.release import PinnedRelease
from spawner.pool.states import ProcessKind, ProcessState
from spawner.processes.app_process import AppProcess
from spawner.processes.group_resources import GroupResources
from spawner.state_store.descriptor_store import DescriptorStore, Record
from spawner.state_store.resistance_wire import resistance_from, text_of
from spawner.system import packets
from spawner.system.linux import Identity
from spawner.watching.restart_watch import RestartWatch

# What is known of a process beyond its state, and has been said once only or is nowhere else: the marks of a record and
# the fields of Process that they stand for. The names of the marks stay: a spawner of another version reads them.
_MARKS = {
    "once": "single_request",
    "worn": "max_requests_reached",
    "too_large": "too_large",
    "overdue": "overdue",
    "work_asked": "work_requested_at",
    "work_granted": "work_granted_at",
}
_LEFT_OUT = ("warning", "env:")  # by how their names begin: fields that a record without room goes without, in turn
_WARNINGS = 8_000  # bytes of an import's warnings that are kept
_SINCE = ("work_asked", "work_granted")  # those that say since when


@dataclass
class FoundProcess:
    """A process that an earlier spawner has left. The descriptors are the holder's.

    :ivar entry: for the pool; its id is to be given.
    :ivar store_key: under which it lies in the store.
    :ivar route: of its own socket; empty: it has none.
    """

    store_key: str
    entry: Process
    uid: int
    gid: int
    user: str
    line: socket.socket
    output: int
    pidfd: Optional[int]
    route: str = ""

    def close(self) -> None:
        """Do not take it over. It is told to retire: the store may still hold its line, which does not end then."""
        with contextlib.suppress(OSError):
            packets.send(self.line, [("type", "retire")])
        self.line.close()
        os.close(self.output)
        if self.pidfd is not None:
            os.close(self.pidfd)


@dataclass
class FoundGroup:
    """A group that an earlier spawner has left. The descriptors are the holder's.

    :ivar restart_key: how its restart file stood, as RestartKey.to_text has it.
    :ivar always_restart: whether its always_restart.txt was there.
    :ivar warnings: as GroupResources has them.
    """

    registration: Registration
    generation: int
    token: str
    restart_key: str
    listener: int
    scoreboard: int
    pinned: Optional[PinnedRelease] = None
    always_restart: bool = False
    warnings: tuple[str, ...] = ()
    processes: list[FoundProcess] = field(default_factory=list)

    def close(self) -> None:
        """Do not take it over."""
        os.close(self.listener)
        os.close(self.scoreboard)
        for process in self.processes:
            process.close()


class StateStore:
    """Writes to the store whatever has changed since the last time."""

    def __init__(self, store: DescriptorStore, log: Log) -> None:
        self._store = store
        self._log = log
        self._groups: dict[str, object] = {}  # what was stored, by key
        self._processes: dict[int, object] = {}
        self._keys: dict[int, str] = {}
        self._name = secrets.token_hex(4)  # of this spawner, whose pid may have been an earlier one's

    def recover(self, now: float) -> list[FoundGroup]:
        """What an earlier spawner has left; to be called before anything is stored.

        :param now: CLOCK_MONOTONIC, seconds.
        """
        groups: dict[str, FoundGroup] = {}
        loose: list[FoundProcess] = []
        for record in self._store.recover():
            try:
                if record.get("type") == "group":
                    group = _group_from(record)
                    groups[group.registration.key] = group
                else:
                    loose.append(_process_from(record, now))
            except (PeerError, ValueError, OSError) as error:
                self._log.error(3030, "a record of the descriptor store cannot be used: %s" % error)
                record.close()
                self._store.remove(record.get("key"))
        for process in loose:
            if process.entry.key in groups:
                groups[process.entry.key].processes.append(process)
            else:
                process.close()
                self._store.remove(process.store_key)
        return list(groups.values())

    def adopted(self, process_id: int, store_key: str) -> None:
        """A process that was found goes on under its old key."""
        self._keys[process_id] = store_key

    def discard(self, found: FoundGroup) -> None:
        """Take what was found, and is not taken over, out of the store."""
        self._store.remove(_group_key(found.registration.key))
        for process in found.processes:
            self._store.remove(process.store_key)

    def forget_group(self, key: str) -> None:
        """Have a group stored again, though it may look the same."""
        if key in self._groups:
            self._groups[key] = None

    def update(
        self,
        pool: Pool,
        groups: Mapping[str, GroupResources],
        processes: Mapping[int, AppProcess],
        watch: RestartWatch,
    ) -> None:
        """Store what is new or different, remove what has gone."""
        for key in [key for key in self._groups if key not in groups]:
            del self._groups[key]
            self._store_remove(_group_key(key))
        for process_id in [number for number in self._processes if number not in processes]:
            del self._processes[process_id]
            self._store_remove(self._keys.pop(process_id))
        for key, group in groups.items():
            entry = pool.groups.get(key)
            if entry is not None:
                self._update_group(group, entry, watch.key_of(key))
        for process_id, process in processes.items():
            known = pool.processes.get(process_id)
            if known is not None:
                self._update_process(process, known)

    def close(self) -> None:
        """Let go of the store; what is in it stays."""
        self._store.close()

    def _update_group(self, group: GroupResources, entry: Group, restart_key: str) -> None:
        generation = entry.release.generation_to_store
        descriptors = (group.listener.fileno(), group.scoreboard.descriptor)
        standing = (entry.release.pinned, entry.always_restart)
        shown = (entry.registration, generation, restart_key, descriptors, standing, group.warnings)
        if self._groups.get(group.key) == shown:
            return
        self._groups[group.key] = shown
        extra = [
            ("app_token", group.token),
            ("generation", str(generation)),
            ("restart_key", restart_key),
            ("always_restart", "1" if entry.always_restart else "0"),
            ("resisting", text_of(entry.release.pinned)),
            *(("warning", text) for text in kept_warnings(group.warnings)),
        ]
        self._put("group", _group_key(group.key), fields_of(entry.registration) + extra, descriptors)

    def _update_process(self, process: AppProcess, entry: Process) -> None:
        marks = [mark for mark, name in _MARKS.items() if getattr(entry, name)]
        shown = (process.pid, entry.state, process.pidfd, marks)
        if self._processes.get(process.process_id) == shown or process.line.descriptor < 0:
            return
        self._processes[process.process_id] = shown
        key = self._keys.setdefault(process.process_id, "process %s.%d" % (self._name, process.process_id))
        fields = [
            ("group", process.key),
            ("kind", process.kind.value),
            ("generation", str(process.generation)),
            ("slot", "" if process.slot is None else str(process.slot)),
            ("pid", str(process.pid)),
            ("state", entry.state.value),
            ("user", process.identity.user),
            ("uid", str(process.identity.uid)),
            ("gid", str(process.identity.gid)),
            ("route", process.route),
            *(("mark", mark) for mark in marks),
        ]
        descriptors = [process.line.descriptor, process.output.fileno()]
        if process.pidfd is not None:  # a pid alone may be another process's by the time it is read
            descriptors.append(process.pidfd)
        self._put("process", key, fields, descriptors)

    def _put(self, kind: str, key: str, fields: list[tuple[str, str]], descriptors: Sequence[int]) -> None:
        if min(descriptors) < 0:
            return
        try:
            self._put_what_fits(kind, key, fields, descriptors)
        except (OSError, InternalError) as error:
            self._log.error(3031, "%s cannot be stored: it would not survive this spawner: %s" % (key, error))

    def _put_what_fits(
        self, kind: str, key: str, fields: list[tuple[str, str]], descriptors: Sequence[int]
    ) -> None:
        """Warnings stand in the log, too, and variables come anew with the next registration.

        :raises InternalError: it is too long without them.
        """
        for left_out in _LEFT_OUT:
            try:
                self._store.put(kind, key, fields, descriptors)
                return
            except InternalError:
                fields = [pair for pair in fields if not pair[0].startswith(left_out)]
        self._store.put(kind, key, fields, descriptors)

    def _store_remove(self, key: str) -> None:
        try:
            self._store.remove(key)
        except OSError as error:
            self._log.error(3032, "%s cannot be taken out of the descriptor store: %s" % (key, error))


def kept_warnings(warnings: Sequence[str]) -> list[str]:
    """As many of an import's warnings, from the first on, as a record has room for; then how many there are beside."""
    sizes = list(itertools.accumulate(len(text.encode("utf-8", "surrogateescape")) for text in warnings))
    if not sizes or sizes[-1] <= _WARNINGS:
        return list(warnings)
    kept = sum(1 for size in sizes if size <= _WARNINGS - 100)  # less the line below
    return [*warnings[:kept], "More warnings of this import stand in the log: %d" % (len(warnings) - kept)]


def _group_key(key: str) -> str:
    return "group " + key


def _group_from(record: Record) -> FoundGroup:
    registration = registration_from(record.fields)
    listener, scoreboard = record.descriptors
    generation = int(record.get("generation"))
    return FoundGroup(
        registration,
        generation,
        record.get("app_token"),
        record.get("restart_key"),
        listener,
        scoreboard,
        resistance_from(record.get("resisting")),
        record.get("always_restart") == "1",
        tuple(value for name, value in record.fields if name == "warning"),
    )


def _process_from(record: Record, now: float) -> FoundProcess:
    line, output, *pidfds = record.descriptors
    slot: Optional[int] = int(record.get("slot")) if record.get("slot") else None
    entry = Process(
        0,
        record.get("group"),
        ProcessKind(record.get("kind")),
        int(record.get("generation")),
        now,
        slot,
        int(record.get("pid")),
        ProcessState(record.get("state")),
        idle_since=now,
        retired_at=now,
    )
    for mark, name in _MARKS.items():
        if ("mark", mark) in record.fields:
            setattr(entry, name, now if mark in _SINCE else True)
    uid, gid = int(record.get("uid")), int(record.get("gid"))
    pidfd = pidfds[0] if pidfds else None
    sock = socket.socket(fileno=line)
    user, route = record.get("user"), record.get("route")
    return FoundProcess(record.get("key"), entry, uid, gid, user, sock, output, pidfd, route)


def identity_of(found: FoundProcess) -> Identity:
    """Whom a process that was found runs as; enough to check it and to open its log."""
    switch = os.geteuid() == 0
    return Identity(found.user, found.uid, found.gid, (found.gid,), "/", "/bin/sh", switch)
