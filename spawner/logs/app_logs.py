"""Where the output of each app goes: PassengerAppLogFile, PassengerLogFile or the virtual host's ErrorLog."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Optional

from spawner.logs.line_sink import LineSink
from spawner.logs.log import Log
from spawner.logs.output import OutputFormat
from spawner.system.linux import Identity
from spawner.system.open_as_user import open_log

_LOOK_EVERY = 1.0  # seconds between looks whether a log was moved away


@dataclass
class _OpenLog:
    sink: Optional[LineSink]
    identity: tuple[int, int]  # device and inode
    looked: float  # CLOCK_MONOTONIC, seconds


class AppLogs:
    """The logs of apps. Those that apps have of their own are opened as the app's user.

    :ivar form: how lines are written at the moment.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._open: dict[tuple[str, int], _OpenLog] = {}
        self.form = OutputFormat(3, True)
        self.main_file = False

    def configure(self, level: int, prefixed: bool, main_file: bool) -> None:
        """Take over what is configured, and open every log anew.

        :param level: PassengerLogLevel.
        :param main_file: whether PassengerLogFile is set, which then takes what has no log of its own.
        """
        self.form = OutputFormat(level, prefixed)
        self.main_file = main_file
        self.reopen()

    def sink(
        self, app_log_file: Optional[str], app_root: str, error_log: str, identity: Identity
    ) -> Optional[LineSink]:
        """The log of an app at this moment.

        :param app_log_file: PassengerAppLogFile, absolute or below the app root.
        :param error_log: the name of the virtual host's ErrorLog.
        """
        if app_log_file:
            own = self._own(os.path.join(app_root, app_log_file), identity, error_log)
            if own is not None:
                return own
        return self._log.own() if self.main_file else self._log.named(error_log)

    def reopen(self) -> list[str]:
        """Close every app's own log; the next line opens it again.

        :returns: their paths.
        """
        paths = sorted({path for path, _ in self._open})
        for entry in self._open.values():
            if entry.sink is not None:
                entry.sink.close()
        self._open.clear()
        return paths

    def flush(self) -> None:
        """Write what waits in logs that did not take it at once."""
        for entry in self._open.values():
            if entry.sink is not None and entry.sink.blocked:
                entry.sink.flush()

    def _own(self, path: str, identity: Identity, error_log: str) -> Optional[LineSink]:
        entry = self._open.get((path, identity.uid))
        now = time.monotonic()
        if entry is not None and now - entry.looked < _LOOK_EVERY:
            return entry.sink
        if entry is not None and entry.sink is not None and _identity(path) == entry.identity:
            entry.looked = now
            return entry.sink
        failed_before = entry is not None and entry.sink is None
        if entry is not None and entry.sink is not None:
            entry.sink.close()
        sink = self._try_open(path, identity, error_log, failed_before)
        found = os.fstat(sink.fileno()) if sink is not None else None
        self._open[path, identity.uid] = _OpenLog(sink, (found.st_dev, found.st_ino) if found else (0, 0), now)
        return sink

    def _try_open(self, path: str, identity: Identity, error_log: str, failed_before: bool) -> Optional[LineSink]:
        try:
            return LineSink(open_log(path, identity))
        except OSError as error:
            if not failed_before:
                text = "PassengerAppLogFile %s cannot be opened as user %s: %s; the output goes to the ErrorLog"
                self._log.say("error", 3008, text % (path, identity.user, error.strerror), error_log)
            return None


def _identity(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return status.st_dev, status.st_ino
