"""The spawner's log: lines in the format of Apache's error log, and the logs that httpd has handed over by name."""

from __future__ import annotations

import datetime
import os
from typing import Iterator, Optional

from spawner.logs.line_sink import LineSink, stderr_sink

# LogLevel's numbers (PassengerLogLevel): a line is written when its level's number is not above the configured one.
LEVELS = {"crit": 0, "error": 1, "warn": 2, "notice": 3, "info": 4, "debug": 5}
_ESCAPES = {code: "\\x%02x" % code for code in [*range(0x20), *range(0x7F, 0xA0)] if code != 0x09}
_ESCAPES.update({0xDC00 + byte: "\\x%02x" % byte for byte in range(0x80, 0xA0)})  # the same as bytes that are no UTF-8


class Log:
    """Where lines go. Numbers of the spawner's own lines are JS3000 to JS3999, each used in one place.

    :ivar level: PassengerLogLevel.
    """

    def __init__(self, own: Optional[LineSink] = None) -> None:
        self.level = 3
        self._own = own if own is not None else stderr_sink()
        self._own_path: Optional[str] = None
        self._named: dict[str, LineSink] = {}
        self._pid = os.getpid()

    def say(self, level: str, number: int, text: str, error_log: str = "") -> None:
        """Write a line of the spawner's own; newlines in the text make further lines that are indented.

        :param level: one of LEVELS.
        :param number: the line's own, 3000 to 3999.
        :param error_log: the name of a virtual host's ErrorLog that the line belongs into, too.
        """
        if LEVELS[level] > self.level:
            return
        first, *rest = text.split("\n")
        line = "%s%s\n" % (prefix(level, self._pid), "JS%d: %s" % (number, escaped(first)))
        line += "".join("    %s\n" % escaped(further) for further in rest)
        for sink in dict.fromkeys([self.own(), self.named(error_log) if error_log else None]):
            if sink is not None:
                sink.write(line.encode("utf-8", "surrogateescape"))

    def crit(self, number: int, text: str) -> None:
        """The spawner cannot go on."""
        self.say("crit", number, text)

    def error(self, number: int, text: str) -> None:
        """Something does not work until somebody mends it."""
        self.say("error", number, text)

    def warn(self, number: int, text: str) -> None:
        """Something is not as it should be; things go on."""
        self.say("warn", number, text)

    def notice(self, number: int, text: str) -> None:
        """What an operator wants to know without asking."""
        self.say("notice", number, text)

    def info(self, number: int, text: str) -> None:
        """What happens, in ordinary operation."""
        self.say("info", number, text)

    def debug(self, number: int, text: str) -> None:
        """What a developer wants to know."""
        self.say("debug", number, text)

    def set_named(self, name: str, descriptor: int) -> None:
        """Take a log that httpd has opened (again); the descriptor becomes the log's own.

        :param name: the ErrorLog's name as configured, empty for the main server's.
        """
        old = self._named.pop(name, None)
        self._named[name] = LineSink(descriptor)
        if old is not None:
            old.close()

    def keep_named(self, names: set[str]) -> None:
        """Close the logs that a new configuration does not know any more.

        :param names: those that it knows.
        """
        for name in [name for name in self._named if name not in names]:
            self._named.pop(name).close()

    def named(self, name: str) -> Optional[LineSink]:
        """A virtual host's error log; the main one where that name is not known."""
        return self._named.get(name) or self.own()

    def set_own_path(self, path: Optional[str]) -> None:
        """Write the spawner's own lines to a file (PassengerLogFile), opened anew; None: to the main error log.

        :raises OSError: it cannot be opened; lines go where they went before.
        """
        sink = LineSink.open(path) if path else None
        if self._own is not None:
            self._own.close()
        self._own, self._own_path = sink, path

    def sinks(self) -> Iterator[LineSink]:
        """Every log that is open, each once."""
        yield from self._named.values()
        if self._own is not None:
            yield self._own

    def flush(self) -> None:
        """Write what waits in logs that did not take it at once."""
        for sink in self.sinks():
            if sink.blocked:
                sink.flush()

    def close(self) -> None:
        """Write what can be written and close every log."""
        for sink in list(self.sinks()):
            sink.close()
        self._named.clear()
        self._own = None

    def own(self) -> Optional[LineSink]:
        """Where the spawner's own lines go: PassengerLogFile or the main error log."""
        return self._own if self._own is not None else self._named.get("")


def prefix(level: str, pid: int) -> str:
    """What stands before a line: time, module and level, process, as in Apache's error log (ErrorLogFormat).

    :param pid: the process that the line is about or from.
    """
    now = datetime.datetime.now()
    return "[%s] [passenger:%s] [pid %d] " % (now.strftime("%a %b %d %H:%M:%S.%f %Y"), level, pid)


def escaped(text: str) -> str:
    """The text without control characters, so that no line can pass for two or reach a terminal's controls."""
    return text.translate(_ESCAPES)
