"""Writes lines to a log without ever waiting: a file, a pipe to a logger, a terminal, a socket."""

from __future__ import annotations

import collections
import contextlib
import os
import select
import stat
from typing import Optional, Sequence

PENDING_LIMIT = 262_144  # bytes that are kept for a log that does not take them; lines beyond are counted and dropped
_PIPE_CHUNK = 4096  # a pipe that polls writable takes this much without blocking (PIPE_BUF, pipe(7))


class LogWriter:
    """One open log. It owns its descriptor.

    A log pipe that nobody reads must not block the spawner. Lines that the pipe does not take wait in a bounded
    buffer. Lines that do not fit into the buffer are dropped and counted. The count is written when the pipe takes
    lines again.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = _without_blocking(descriptor)
        self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)
        self._pending: collections.deque[bytes] = collections.deque()
        # Invariant: the sum of the lengths of _pending, at most PENDING_LIMIT and one line.
        self._pending_bytes = 0
        self.dropped = 0

    @classmethod
    def open(cls, path: str) -> "LogWriter":
        """Open a file of the operator's to append to.

        :raises OSError: it cannot be opened.
        """
        return cls(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640))

    @property
    def blocked(self) -> bool:
        """Whether lines wait to be written."""
        return bool(self._pending)

    def fileno(self) -> int:
        """The log's descriptor, which still belongs to this object."""
        return self._descriptor

    def write(self, line: bytes) -> None:
        """Write a line (with its newline), now or as soon as the log takes it."""
        if self._pending:
            self.flush()
        if not self._pending and self._report_dropped():
            line = self._write_now(line)
        if line:
            self._keep(line)

    def write_lines(self, lines: Sequence[bytes]) -> None:
        """Write lines as `write` does; into a file those of a burst go at once."""
        if self._regular and not self._pending and not self.dropped:
            for line in self._write_now(b"".join(lines)).splitlines(keepends=True):
                self._keep(line)
        else:
            for line in lines:
                self.write(line)

    def flush(self) -> None:
        """Write the lines that wait, as far as the log takes them."""
        while self._pending:
            rest = self._write_now(self._pending[0])
            self._pending_bytes -= len(self._pending[0]) - len(rest)
            if rest:
                self._pending[0] = rest
                return
            self._pending.popleft()
        self._report_dropped()

    def close(self) -> None:
        """Write what can be written at once and close."""
        if self._descriptor >= 0:
            self.flush()
            os.close(self._descriptor)
            self._descriptor = -1

    def _keep(self, line: bytes) -> None:
        if self._pending_bytes + len(line) > PENDING_LIMIT:
            self.dropped += 1
            return
        self._pending.append(line)
        self._pending_bytes += len(line)

    def _report_dropped(self) -> bool:
        """Write how many lines were lost; False if even that cannot be written."""
        if not self.dropped:
            return True
        message = b"[passenger] %d lines were dropped: this log did not take them\n" % self.dropped
        rest = self._write_now(message)
        if len(rest) == len(message):
            return False
        self.dropped = 0
        if rest:
            self._keep(rest)
        return not rest

    def _write_now(self, data: bytes) -> bytes:
        """Write as much as the log takes without waiting; return the rest."""
        while data:
            if not self._regular and not self._poll.poll(0):
                return data
            try:
                written = os.write(self._descriptor, data if self._regular else data[:_PIPE_CHUNK])
            except InterruptedError:
                continue
            except OSError:  # a full pipe, no reader, a full disk: kept for later, within the bound
                return data
            data = data[written:]
        return b""


def _without_blocking(descriptor: int) -> int:
    """A descriptor of the same pipe with an open file description of its own: O_NONBLOCK holds for this process alone.

    httpd's processes write to the same pipe. With O_NONBLOCK on the shared description they would lose lines.
    """
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        with contextlib.suppress(OSError):
            own = os.open("/proc/self/fd/%d" % descriptor, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.close(descriptor)
            return own
    os.set_inheritable(descriptor, False)
    return descriptor


def stderr_writer() -> Optional[LogWriter]:
    """A writer to standard error, until a log is known."""
    try:
        return LogWriter(os.dup(2))
    except OSError:
        return None
