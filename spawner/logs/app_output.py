"""What an app's processes write to standard output and standard error, line by line into a log."""

from __future__ import annotations

import collections
import enum
import os
import re
from typing import Callable, Optional, Sequence

from spawner.logs.log import LEVELS, escaped, prefix
from spawner.logs.log_writer import LogWriter

DEFAULT_LINE_LENGTH = 8192  # bytes; a longer line is split
TAIL_LINES = 50  # kept for the report on a start that fails
_READ = 4096  # bytes in one turn of the loop: short lines take long, and other apps wait for their turn
_PIPE = 65_536  # bytes that a pipe holds (pipe(7)), unless the app has made it larger

_TRACEBACK_LIMIT = 500  # lines; more than these have the time again
_TRACEBACK = re.compile(rb"[ +|]{0,100}(Exception Group )?Traceback \(most recent call last\):")
_LINK = re.compile(
    rb"During handling of the above exception, another exception occurred:"
    rb"|The above exception was the direct cause of the following exception:"
)


class LineSplitter:
    """Splits bytes into lines. No I/O, so that every split can be tested.

    :param line_length: the most bytes of a line.
    """

    def __init__(self, line_length: int = DEFAULT_LINE_LENGTH) -> None:
        self._line_length = line_length
        # Invariant: at most _line_length bytes, no newline in it (so that a cut never makes an empty line).
        self._partial = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete, without their newlines."""
        *whole, rest = (self._partial + data).split(b"\n")
        lines = whole
        if max(map(len, whole), default=0) > self._line_length:
            lines = [piece for line in whole for piece in self._pieces(line)]
        while len(rest) > self._line_length:
            lines.append(rest[: self._line_length])
            rest = rest[self._line_length :]
        self._partial = rest
        return lines

    def finish(self) -> list[bytes]:
        """The last line, which no newline ended, if there is one."""
        rest, self._partial = self._partial, b""
        return [rest] if rest else []

    def _pieces(self, line: bytes) -> list[bytes]:
        length = self._line_length
        return [line[start : start + length] for start in range(0, len(line), length)] or [b""]


class _Part(enum.Enum):
    """Of what the last line was a part."""

    OTHER = "other output"
    FRAMES = "the frames of a traceback"
    GROUP = "the traceback of an exception group, all of whose lines are indented"
    EXCEPTION = "the exception, which ends the traceback, or empty lines behind it"
    LINK = "the sentence that links it with the traceback of another exception"


class TracebackLines:
    """Tells which lines of a process continue a traceback of Python's. No I/O."""

    def __init__(self) -> None:
        self._part = _Part.OTHER
        self._count = 0  # lines since the traceback has begun

    def continues(self, line: bytes) -> bool:
        """Whether this line continues the traceback that an earlier one has begun; to be asked for each line."""
        before = self._part
        self._part = self._part_of(line)
        is_first = before is _Part.OTHER or (_TRACEBACK.match(line) is not None and before is _Part.EXCEPTION)
        if is_first or self._part is _Part.OTHER or self._count >= _TRACEBACK_LIMIT:
            self._count = 0
            return False
        self._count += 1
        return True

    def _part_of(self, line: bytes) -> _Part:
        is_indented, is_empty = line[:1] in (b" ", b"\t"), not line.strip()
        if _TRACEBACK.match(line) and self._part is not _Part.GROUP:
            return _Part.GROUP if is_indented else _Part.FRAMES
        if self._part is _Part.FRAMES and not is_indented:
            return _Part.EXCEPTION
        if self._part is _Part.EXCEPTION and _LINK.match(line):
            return _Part.LINK
        goes_on = is_empty if self._part is _Part.LINK else is_indented or (is_empty and self._part is _Part.EXCEPTION)
        return self._part if goes_on else _Part.OTHER


class OutputFormat:
    """How lines of an app are written, and whether.

    :param level: PassengerLogLevel; lines of apps are of level 3 (notice).
    :param prefixed: False with PassengerDisableLogPrefix: the bare line.
    """

    def __init__(self, level: int, prefixed: bool) -> None:
        self.wanted = level >= LEVELS["notice"]
        self.prefixed = prefixed

    def lines(self, pid: int, lines: Sequence[bytes], tracebacks: TracebackLines) -> list[bytes]:
        """The lines as they go into the log, read at the same time.

        :param tracebacks: those of the process; a line that continues one has neither time nor level.
        """
        printable = self._printable(lines)
        if not self.prefixed:
            return [line + b"\n" for line in printable]
        short = b"App %d output: " % pid
        full = prefix("notice", pid).encode() + short
        heads = (short if tracebacks.continues(line) else full for line in lines)
        return [head + line + b"\n" for head, line in zip(heads, printable)]

    @staticmethod
    def _printable(lines: Sequence[bytes]) -> list[bytes]:
        """All at once, as far as possible: an app may write thousands of lines of one character."""
        whole = b"".join(lines)
        if b"\r" in whole:
            lines = [line.rstrip(b"\r") for line in lines]
            whole = b"".join(lines)
        if whole.isascii() and whole.decode("ascii").isprintable():
            return list(lines)
        texts = (escaped(line.decode("utf-8", "surrogateescape")) for line in lines)
        return [text.encode("utf-8", "surrogateescape") for text in texts]


class AppOutput:
    """The spawner's end of the output pipe of one process. It owns the pipe's descriptor.

    :param pipe: read end; it is made non-blocking.
    :param writer: gives the current log, which changes when logs are rotated.
    :param output_format: gives the current format.
    """

    def __init__(
        self,
        pipe: int,
        pid: int,
        writer: Callable[[], Optional[LogWriter]],
        output_format: Callable[[], OutputFormat],
        line_length: int = DEFAULT_LINE_LENGTH,
    ) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self.pid = pid
        self._writer = writer
        self._format = output_format
        self._splitter = LineSplitter(line_length)
        self._tracebacks = TracebackLines()
        # Sees every line first; what it returns is logged (processes/stack_capture.py).
        self.line_filter: Optional[Callable[[list[bytes]], list[bytes]]] = None
        self._tail: collections.deque[bytes] = collections.deque(maxlen=TAIL_LINES)

    def fileno(self) -> int:
        """The pipe's descriptor, which stays this object's; -1 once closed."""
        return self._pipe

    def read_some(self) -> bool:
        """Read what is there (a bounded amount) and log it.

        :returns: False at the end of the pipe.
        """
        try:
            data = os.read(self._pipe, _READ)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self._log(self._splitter.feed(data) if data else self._splitter.finish())
        return bool(data)

    def tail(self) -> str:
        """The last lines, for the report on a start that failed."""
        return b"\n".join(self._tail).decode("utf-8", "replace")

    def add_line(self, text: str) -> None:
        """Write a line of the spawner's into the app's output, and keep it for the report."""
        self._log([("jumpseat: " + text).encode("utf-8", "surrogateescape")])

    def close(self) -> None:
        """Log what is still in the pipe and close it."""
        if self._pipe < 0:
            return
        for _ in range(_PIPE // _READ):  # bounded: the process may continue to write
            if not self._has_more():
                break
        self._log(self._splitter.finish())
        os.close(self._pipe)
        self._pipe = -1

    def _has_more(self) -> bool:
        try:
            data = os.read(self._pipe, _READ)
        except OSError:
            return False
        self._log(self._splitter.feed(data))
        return bool(data)

    def write_own_lines(self, *lines: str) -> None:
        """Write numbered lines of the spawner's into the app's log."""
        self._write([line.encode("utf-8", "surrogateescape") for line in lines])

    def _log(self, lines: list[bytes]) -> None:
        if self.line_filter is not None and lines:
            lines = self.line_filter(lines)
        self._tail.extend(lines)
        self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        output_format, writer = self._format(), self._writer()
        if writer is None or not output_format.wanted:
            return
        if lines:
            writer.write_lines(output_format.lines(self.pid, lines, self._tracebacks))
