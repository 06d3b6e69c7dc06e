"""The spawner's log, in the format of Apache's error log, and the error logs that httpd has passed to it."""

from __future__ import annotations

import datetime
import os
from typing import Iterator, Optional

from spawner.logs.log_writer import LogWriter, stderr_writer

# LogLevel's numbers (PassengerLogLevel): a line is written when its level's number is not above the configured one.
LEVELS = {"crit": 0, "error": 1, "warn": 2, "notice": 3, "info": 4, "debug": 5}
_ESCAPES = {code: "\\x%02x" % code for code in [*range(0x20), *range(0x7F, 0xA0)] if code != 0x09}
_ESCAPES.update({0xDC00 + byte: "\\x%02x" % byte for byte in range(0x80, 0xA0)})  # the same as bytes that are no UTF-8


class Log:
    """The spawner's own log. The numbers of its lines are JS3000 to JS3999; each number is used in one place.

    :ivar level: PassengerLogLevel.
    """

    def __init__(self, main: Optional[LogWriter] = None) -> None:
        self.level = 3
        self._main = main if main is not None else stderr_writer()
        self._file_path: Optional[str] = None
        self._error_logs: dict[str, LogWriter] = {}
        self._pid = os.getpid()

    def write(self, level: str, number: int, text: str, error_log: str = "", only_there: bool = False) -> None:
        """Write a line of the spawner's own; newlines in the text make further lines that are indented.

        :param level: one of LEVELS.
        :param number: the line's own, 3000 to 3999.
        :param error_log: the name of a virtual host's ErrorLog to which the line is written, too.
        :param only_there: it is not written to the spawner's own log.
        """
        if LEVELS[level] > self.level:
            return
        first, *rest = text.split("\n")
        line = "%s%s\n" % (prefix(level, self._pid), "JS%d: %s" % (number, escaped(first)))
        line += "".join("    %s\n" % escaped(further) for further in rest)
        hosts = self.error_log(error_log) if error_log or only_there else None
        for writer in dict.fromkeys([None if only_there else self.main_writer(), hosts]):
            if writer is not None:
                writer.write(line.encode("utf-8", "surrogateescape"))

    def crit(self, number: int, text: str) -> None:
        """The spawner cannot go on."""
        self.write("crit", number, text)

    def error(self, number: int, text: str) -> None:
        """Something does not work until somebody repairs it."""
        self.write("error", number, text)

    def warn(self, number: int, text: str) -> None:
        """Something is wrong, but everything continues to work."""
        self.write("warn", number, text)

    def notice(self, number: int, text: str) -> None:
        """What an operator wants to know without asking."""
        self.write("notice", number, text)

    def info(self, number: int, text: str) -> None:
        """What happens, in ordinary operation."""
        self.write("info", number, text)

    def debug(self, number: int, text: str) -> None:
        """What a developer wants to know."""
        self.write("debug", number, text)

    def set_error_log(self, name: str, descriptor: int) -> None:
        """Take an error log that httpd has opened (again). This object closes the descriptor.

        :param name: the ErrorLog's name as configured, empty for the main server's.
        """
        old = self._error_logs.pop(name, None)
        self._error_logs[name] = LogWriter(descriptor)
        if old is not None:
            old.close()

    def keep_error_logs(self, names: set[str]) -> None:
        """Close the error logs that a new configuration no longer has.

        :param names: those that it has.
        """
        for name in [name for name in self._error_logs if name not in names]:
            self._error_logs.pop(name).close()

    def error_log(self, name: str) -> Optional[LogWriter]:
        """A virtual host's error log; the main one where that name is not known."""
        return self._error_logs.get(name) or self.main_writer()

    def set_log_file(self, path: Optional[str]) -> None:
        """Write the spawner's own lines to a file (PassengerLogFile), opened anew; None: to the main error log.

        :raises OSError: it cannot be opened; lines go where they went before.
        """
        writer = LogWriter.open(path) if path else None
        if self._main is not None:
            self._main.close()
        self._main, self._file_path = writer, path

    def writers(self) -> Iterator[LogWriter]:
        """Every log that is open, each once."""
        yield from self._error_logs.values()
        if self._main is not None:
            yield self._main

    def flush(self) -> None:
        """Write the lines that wait, to logs that did not take them at once."""
        for writer in self.writers():
            if writer.blocked:
                writer.flush()

    def close(self) -> None:
        """Write what can be written without waiting, and close every log."""
        for writer in list(self.writers()):
            writer.close()
        self._error_logs.clear()
        self._main = None

    def main_writer(self) -> Optional[LogWriter]:
        """Where the spawner's own lines go: PassengerLogFile or the main error log."""
        return self._main if self._main is not None else self._error_logs.get("")


def prefix(level: str, pid: int) -> str:
    """What stands before a line: time, module and level, process, as in Apache's error log (ErrorLogFormat).

    :param pid: the process that the line is about or from.
    """
    now = datetime.datetime.now()
    return "[%s] [passenger:%s] [pid %d] " % (now.strftime("%a %b %d %H:%M:%S.%f %Y"), level, pid)


def escaped(text: str) -> str:
    """The text without control characters: it stays one line, and cannot control a terminal."""
    return text.translate(_ESCAPES)
