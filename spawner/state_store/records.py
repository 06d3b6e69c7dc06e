"""The records of groups and processes in the descriptor store (docs/protocol.md, section 7), and what they hold."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import dataclass, field
from typing import Optional

from spawner.httpd.register_message import fields_of, registration_from
from spawner.pool.group import Group
from spawner.pool.process import Process
from spawner.pool.registration import Registration
from spawner.pool.release import PinnedRelease
from spawner.pool.states import ProcessKind, ProcessState
from spawner.processes.app_process import AppProcess
from spawner.processes.group_resources import GroupResources
from spawner.processes.import_warnings import ImportWarnings
from spawner.start_failure import StartFailure
from spawner.state_store.descriptor_store import StoreRecord
from spawner.system import packets
from spawner.system.linux import Identity

Fields = list[tuple[str, str]]

# What is known of a process beyond its state, and cannot be found out again: the marks of a record. Those of the first
# kind are fields of Process; those of the second stand for fields that are times.
_FLAGS = ("single_request", "max_requests_reached", "too_large", "overdue")
_TIMES = {"work_requested": "work_requested_at", "work_granted": "work_granted_at"}
_LONGEST_DETAIL = 6_000  # characters; a record holds 32,000 bytes


@dataclass
class RecoveredProcess:
    """A process that an earlier spawner has left. The holder owns the descriptors.

    :ivar store_key: of its record.
    :ivar entry: for the pool, which gives it its id.
    :ivar routes: see AppProcess.
    """

    store_key: str
    entry: Process
    identity: Identity
    line: socket.socket
    output: int
    pidfd: Optional[int]
    routes: tuple[str, ...] = ()

    def close(self) -> None:
        """Do not take it over: tell it to retire.

        Closing the line alone is not enough: it stays open while the store holds it, too.
        """
        with contextlib.suppress(OSError):
            packets.send(self.line, [("type", "retire")])
        self.line.close()
        os.close(self.output)
        if self.pidfd is not None:
            os.close(self.pidfd)


@dataclass
class RecoveredGroup:
    """A group that an earlier spawner has left. The holder owns the descriptors.

    :ivar restart_trigger: the state of its restart file, as RestartTrigger.to_text writes it.
    :ivar always_restart: whether its always_restart.txt was there.
    :ivar import_warnings: as GroupResources has them.
    """

    registration: Registration
    generation: int
    token: str
    restart_trigger: str
    listener: int
    scoreboard: int
    pinned: Optional[PinnedRelease] = None
    always_restart: bool = False
    import_warnings: ImportWarnings = ImportWarnings()
    processes: list[RecoveredProcess] = field(default_factory=list)

    def close(self) -> None:
        """Do not take it over."""
        os.close(self.listener)
        os.close(self.scoreboard)
        for process in self.processes:
            process.close()


def group_fields(group: Group, resources: GroupResources, restart_trigger: str) -> Fields:
    """The record of a group.

    :param restart_trigger: see RecoveredGroup.
    """
    return [
        *fields_of(group.registration),
        ("app_token", resources.token),
        ("generation", str(group.release.generation_to_store)),
        ("restart_key", restart_trigger),
        ("always_restart", "1" if group.always_restart else "0"),
        ("pinned_release", pinned_release_text(group.release.pinned)),
        *resources.import_warnings.to_fields(),
    ]


def group_state(group: Group, resources: GroupResources, restart_trigger: str) -> tuple[object, ...]:
    """What `group_fields` and the descriptors are made of: as long as it is equal, the record is."""
    return (
        group.registration,
        group.release.generation_to_store,
        group.release.pinned,
        group.always_restart,
        restart_trigger,
        resources.import_warnings,
        resources.listener.fileno(),
    )


def process_state(entry: Process, process: AppProcess) -> tuple[object, ...]:
    """What `process_fields` and the descriptors are made of: as long as it is equal, the record is."""
    return (process.pid, process.pidfd, process.routes, entry.state, _marks(entry))


def _marks(entry: Process) -> list[str]:
    times = [mark for mark, name in _TIMES.items() if getattr(entry, name)]
    return [flag for flag in _FLAGS if getattr(entry, flag)] + times


def process_fields(entry: Process, process: AppProcess) -> Fields:
    """The record of a process."""
    return [
        ("group", process.key),
        ("kind", process.kind.value),
        ("generation", str(process.generation)),
        ("slot", "" if process.slot is None else str(process.slot)),
        ("pid", str(process.pid)),
        ("state", entry.state.value),
        ("user", process.identity.user),
        ("uid", str(process.identity.uid)),
        ("gid", str(process.identity.gid)),
        *(("route", route) for route in process.routes),
        *(("mark", mark) for mark in _marks(entry)),
    ]


def recovered_group(record: StoreRecord) -> RecoveredGroup:
    """The group of a record, which gives its descriptors away.

    :raises PeerError: a field of its registration is missing or wrong.
    :raises ValueError: another one is, or the number of descriptors.
    """
    registration = registration_from(record.fields)
    generation = int(record.get("generation"))
    pinned = pinned_release_from_text(record.get("pinned_release"))
    listener, scoreboard = record.descriptors
    return RecoveredGroup(
        registration,
        generation,
        record.get("app_token"),
        record.get("restart_key"),
        listener,
        scoreboard,
        pinned,
        record.get("always_restart") == "1",
        ImportWarnings.from_fields(record.fields),
    )


def recovered_process(record: StoreRecord, now: float) -> RecoveredProcess:
    """The process of a record, which gives its descriptors away.

    :param now: seconds of CLOCK_MONOTONIC.
    :raises ValueError: a field is missing or wrong, or the number of descriptors.
    :raises OSError: the first descriptor is no socket.
    """
    line, output, *pidfds = record.descriptors
    slot = int(record.get("slot")) if record.get("slot") else None
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
    for mark in (value for name, value in record.fields if name == "mark"):
        if mark in _FLAGS:
            setattr(entry, mark, True)
        elif mark in _TIMES:
            setattr(entry, _TIMES[mark], now)
    uid, gid = int(record.get("uid")), int(record.get("gid"))
    # Enough to check the process and to open its log.
    identity = Identity(record.get("user"), uid, gid, (gid,), "/", "/bin/sh", os.geteuid() == 0)
    pidfd = pidfds[0] if pidfds else None
    sock = socket.socket(fileno=line)
    routes = tuple(value for name, value in record.fields if name == "route" and value)
    return RecoveredProcess(record.get("key"), entry, identity, sock, output, pidfd, routes)


def pinned_release_text(pinned: Optional[PinnedRelease]) -> str:
    """A pinned release as JSON; empty: there is none.

    A long traceback loses its beginning: the error stands at its end.
    """
    if pinned is None:
        return ""
    failure = pinned.failure
    facts = [(name, value) for name, value in failure.facts if len(value) <= _LONGEST_DETAIL // 8][:16]
    values = {
        "generation": pinned.generation,
        "since": pinned.since,
        "step": failure.step,
        "summary": failure.summary[-_LONGEST_DETAIL:],
        "detail": failure.detail[-_LONGEST_DETAIL:],
        "facts": facts,
        "error_id": failure.error_id,
    }
    return json.dumps(values)


def pinned_release_from_text(text: str) -> Optional[PinnedRelease]:
    """What `pinned_release_text` has written; None for anything else: then the newest code is tried again."""
    try:
        values = json.loads(text)
        facts = tuple((str(name), str(value)) for name, value in values["facts"])
        failure = StartFailure(
            str(values["step"]), str(values["summary"]), str(values["detail"]), facts, str(values["error_id"])
        )
        return PinnedRelease(int(values["generation"]), float(values["since"]), failure)
    except (ValueError, KeyError, TypeError):
        return None
