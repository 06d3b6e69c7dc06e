"""The descriptor store: descriptors that have to outlive the spawner wait in a socket that httpd's parent keeps open.

See docs/protocol.md, section 7. Every record carries at least one descriptor, because the kernel ends a read of a
stream socket after the data that descriptors came with: so one read gives exactly one record. (Packet sockets would
keep records apart by themselves, but queue no more than net.unix.max_dgram_qlen of them, 10 on many machines.)
"""

from __future__ import annotations

import array
import collections
import contextlib
import errno
import os
import socket
import uuid
from dataclasses import dataclass
from typing import Iterable, Sequence

from spawner.errors import InternalError
from spawner.system.packets import decode, encode

MAX_RECORD = 32_000  # bytes: what the kernel surely keeps in one piece
_CAPACITY = 64 * 1024 * 1024
_SO_SNDBUFFORCE = 32
_ANCILLARY = socket.CMSG_SPACE(8 * 4)
_SLACK = 16  # outdated records that are not worth a compaction


@dataclass
class Record:
    """One object as the store holds it. The holder closes the descriptors.

    :ivar fields: `type`, `key` and `serial` first.
    """

    fields: list[tuple[str, str]]
    descriptors: list[int]

    def get(self, name: str) -> str:
        """The first value of a name, empty if there is none."""
        return next((value for key, value in self.fields if key == name), "")

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []


class DescriptorStore:
    """Writes, replaces and removes records, and reads those of the spawner before.

    :param head: the socket to read from.
    :param tail: the socket to write to; what is written comes out at `head`.

    Invariant: `_queue` names the records in the socket in their order; `_latest` the serial that counts, by key.
    """

    def __init__(self, head: socket.socket, tail: socket.socket) -> None:
        self._head = head
        self._tail = tail
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._queue: collections.deque[tuple[str, int]] = collections.deque()
        self._latest: dict[str, int] = {}
        self._serial = 0
        head.setblocking(False)
        tail.setblocking(False)
        with contextlib.suppress(PermissionError):  # without root the default size has to do
            tail.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _CAPACITY)

    def put(self, kind: str, key: str, fields: Iterable[tuple[str, str]], descriptors: Sequence[int]) -> None:
        """Store an object, or replace it.

        :param kind: the record's type, `group` or `process`.
        :param descriptors: at most 7; they stay the caller's.
        :raises OSError: the store is full.
        :raises InternalError: the record is longer than MAX_RECORD.
        """
        self._append(kind, key, list(fields), descriptors)
        self._compact()

    def remove(self, key: str) -> None:
        """Remove an object."""
        if key in self._latest:
            self._append("gone", key, [], ())
            self._compact()

    def recover(self) -> list[Record]:
        """What the spawner before has left, oldest first; to be called first. The caller owns the descriptors."""
        mark = "mark-%s" % uuid.uuid4().hex
        self._send([("type", "gone"), ("key", mark), ("serial", "0")], ())
        newest: dict[str, Record] = {}
        while True:
            key, serial = self._peek_name()
            if key == mark:
                self._pop()
                break
            self._rotate().close()
            self._queue.append((key, serial))
            self._serial = max(self._serial, serial)
            self._latest[key] = max(serial, self._latest.get(key, 0))
        for _ in range(len(self._queue)):
            self._read_newest(newest)
        for key in [key for key, record in newest.items() if record.get("type") == "gone"]:
            newest.pop(key).close()
            del self._latest[key]
        self._compact()
        return sorted(newest.values(), key=lambda record: int(record.get("serial")))

    def close(self) -> None:
        """Close the sockets; what is stored stays."""
        self._head.close()
        self._tail.close()
        os.close(self._null)

    def __len__(self) -> int:
        """How many objects are stored."""
        return len(self._latest)

    def _read_newest(self, newest: dict[str, Record]) -> None:
        key, serial = self._queue[0]
        record = self._rotate()
        self._queue.rotate(-1)
        if serial == self._latest[key] and key not in newest:
            newest[key] = record
        else:
            record.close()

    def _append(self, kind: str, key: str, fields: list[tuple[str, str]], descriptors: Sequence[int]) -> None:
        self._serial += 1
        self._send([("type", kind), ("key", key), ("serial", str(self._serial)), *fields], descriptors)
        self._queue.append((key, self._serial))
        if kind == "gone":
            self._latest.pop(key, None)
        else:
            self._latest[key] = self._serial

    def _compact(self) -> None:
        """Remove outdated records once they are more than the others."""
        if len(self._queue) <= 2 * len(self._latest) + _SLACK:
            return
        for _ in range(len(self._queue)):
            key, serial = self._queue[0]
            if self._latest.get(key) == serial:
                self._rotate().close()
                self._queue.append((key, serial))
            else:
                self._pop()
            self._queue.popleft()

    def _rotate(self) -> Record:
        """Move the first record to the end: copied first, then removed, so that a crash in between loses nothing."""
        record = self._read(socket.MSG_PEEK)
        try:
            self._send(record.fields, record.descriptors)
        except OSError:
            record.close()
            raise
        self._pop()
        return record

    def _pop(self) -> None:
        self._read(0).close()

    def _peek_name(self) -> tuple[str, int]:
        record = self._read(socket.MSG_PEEK)
        record.close()
        return record.get("key"), int(record.get("serial"))

    def _send(self, fields: list[tuple[str, str]], descriptors: Sequence[int]) -> None:
        data = encode(fields)
        if len(data) > MAX_RECORD:
            raise InternalError("a record of %d bytes is too long for the descriptor store" % len(data))
        numbers = array.array("i", list(descriptors) or [self._null])
        self._tail.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)], socket.MSG_NOSIGNAL)

    def _read(self, flags: int) -> Record:
        data, ancillary, received_flags, _ = self._head.recvmsg(MAX_RECORD, _ANCILLARY, flags | socket.MSG_CMSG_CLOEXEC)
        numbers = array.array("i")
        for _, _, content in ancillary:
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
        record = Record(decode(data), list(numbers))
        if flags & socket.MSG_PEEK and received_flags & socket.MSG_CTRUNC:  # rotating it would lose what did not fit
            record.close()
            raise OSError(errno.EMFILE, "no descriptors left for what the store holds")
        return record
