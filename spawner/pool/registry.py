"""Who there is: for each app group and each process what the pool knows of it, and what the operating system has of it.

A record has two halves, and one identity: the key of a group, the id of a process. The pool enters the first half, its
entry, and ends it. The daemon attaches the second half, the handle (sockets, scoreboard, control line), and detaches
it. Either may be there without the other while effects are carried out: an entry gets its handle when CreateGroup,
StartProcess or ForkWorker is carried out, and a handle outlives its entry until DropGroup or ForgetProcess is. A record
is gone when both halves are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Generic, Iterator, Mapping, Optional, TypeVar

from spawner.errors import InternalError
from spawner.pool.group import Group
from spawner.pool.process import Process

Identity = TypeVar("Identity")
Entry = TypeVar("Entry")
Handle = TypeVar("Handle")
Value = TypeVar("Value")
GroupHandle = TypeVar("GroupHandle")
ProcessHandle = TypeVar("ProcessHandle")


@dataclass
class Record(Generic[Entry, Handle]):
    """What there is under one identity."""

    entry: Optional[Entry] = None
    handle: Optional[Handle] = None


class _Half(Mapping[Identity, Value]):
    """One half of all records as a mapping: what lacks that half is not in it."""

    def __init__(
        self,
        records: Mapping[Identity, Record[Entry, Handle]],
        half: Callable[[Record[Entry, Handle]], Optional[Value]],
    ) -> None:
        self._records = records
        self._half = half

    def __getitem__(self, identity: Identity) -> Value:
        value = self._half(self._records[identity])
        if value is None:
            raise KeyError(identity)
        return value

    def __iter__(self) -> Iterator[Identity]:
        return (identity for identity, record in self._records.items() if self._half(record) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Table(Generic[Identity, Entry, Handle]):
    """The records of groups, or those of processes, in the order in which they came."""

    def __init__(self) -> None:
        self._records: dict[Identity, Record[Entry, Handle]] = {}
        self.entries: Mapping[Identity, Entry] = _Half(self._records, lambda record: record.entry)
        self.handles: Mapping[Identity, Handle] = _Half(self._records, lambda record: record.handle)

    # The pool

    def enter(self, identity: Identity, entry: Entry) -> None:
        """The pool knows of it from now on.

        :raises InternalError: there is an entry.
        """
        record = self._records.setdefault(identity, Record())
        if record.entry is not None:
            raise InternalError("%s is entered already" % identity)
        record.entry = entry

    def end(self, identity: Identity) -> None:
        """The pool does not know of it any more."""
        record = self._records.get(identity)
        if record is not None:
            record.entry = None
            self._drop_empty(identity, record)

    # The daemon

    def attach(self, identity: Identity, handle: Handle) -> None:
        """There is a handle from now on; with a handle before, the new one takes its place."""
        self._records.setdefault(identity, Record()).handle = handle

    def detach(self, identity: Identity) -> Optional[Handle]:
        """There is no handle any more.

        :returns: the one that there was, which is the caller's to close.
        """
        record = self._records.get(identity)
        if record is None:
            return None
        handle, record.handle = record.handle, None
        self._drop_empty(identity, record)
        return handle

    # Both

    def entry(self, identity: Identity) -> Optional[Entry]:
        """What the pool knows of it."""
        record = self._records.get(identity)
        return None if record is None else record.entry

    def handle(self, identity: Identity) -> Optional[Handle]:
        """What the operating system has of it."""
        record = self._records.get(identity)
        return None if record is None else record.handle

    def complete(self) -> Iterator[tuple[Identity, Entry, Handle]]:
        """Every record with both halves."""
        for identity, record in list(self._records.items()):
            if record.entry is not None and record.handle is not None:
                yield identity, record.entry, record.handle

    def _drop_empty(self, identity: Identity, record: Record[Entry, Handle]) -> None:
        if record.entry is None and record.handle is None:
            del self._records[identity]


class ProcessTable(Table[int, Process, Handle]):
    """The records of processes; these are found by pid, too.

    Invariant: a process is found under the pid that was set last for it, and under no other.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pids: dict[int, int] = {}  # by process id
        self._ids: dict[int, list[int]] = {}  # by pid

    def set_pid(self, process_id: int, pid: int) -> None:
        """A process has this pid: whoever learns of it first says so, the daemon that has started it or the pool.

        :raises InternalError: there is no such record.
        """
        if process_id not in self._records:
            raise InternalError("there is no process %d to have pid %d" % (process_id, pid))
        if self._pids.get(process_id) != pid:
            self._forget_pid(process_id)
            self._pids[process_id] = pid
            self._ids.setdefault(pid, []).append(process_id)

    def with_pid(self, pid: int) -> list[int]:
        """The ids of the processes that have a pid. Two may: one has ended, and that was not heard of yet."""
        return list(self._ids.get(pid, ()))

    def _drop_empty(self, identity: int, record: Record[Process, Handle]) -> None:
        super()._drop_empty(identity, record)
        if identity not in self._records:
            self._forget_pid(identity)

    def _forget_pid(self, process_id: int) -> None:
        pid = self._pids.pop(process_id, None)
        if pid is not None:
            self._ids[pid].remove(process_id)
            if not self._ids[pid]:
                del self._ids[pid]

    def check_invariants(self) -> None:
        """To be called between two events.

        :raises AssertionError: a rule does not hold.
        """
        assert self._pids.keys() <= self._records.keys(), "a pid of a process that is gone"
        assert sorted((pid, one) for one, pid in self._pids.items()) == sorted(
            (pid, one) for pid, ids in self._ids.items() for one in ids
        ), "the pids do not agree"
        for process_id, process in self.entries.items():
            assert not process.pid or self._pids.get(process_id) == process.pid, "pid %d is not found" % process.pid


class Registry(Generic[GroupHandle, ProcessHandle]):
    """Every app group, by its key, and every process of an app, by its id. Made by whoever makes the pool."""

    def __init__(self) -> None:
        self.groups: Table[str, Group, GroupHandle] = Table()
        self.processes: ProcessTable[ProcessHandle] = ProcessTable()
