"""Where the output of each app goes: PassengerAppLogFile, PassengerLogFile or the virtual host's ErrorLog."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Optional

from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.system.linux import Identity
from spawner.system.open_as_user import open_log

_CHECK_INTERVAL = 1.0  # seconds between checks whether a log was moved away


@dataclass
class _OpenLog:
    writer: Optional[LogWriter]
    identity: tuple[int, int]  # device and inode
    checked: float  # CLOCK_MONOTONIC, seconds


class AppLogs:
    """The logs of apps. An app's PassengerAppLogFile is opened with the rights of its user.

    :ivar level: PassengerLogLevel.
    :ivar main_file: whether PassengerLogFile is set.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._open: dict[tuple[str, int], _OpenLog] = {}
        self.level = 3
        self.main_file = False

    def configure(self, level: int, main_file: bool) -> None:
        """Apply what is configured, and open every log again.

        :param level: PassengerLogLevel.
        :param main_file: whether PassengerLogFile is set. If so, it gets the output of apps without a log of their own.
        """
        self.level = level
        self.main_file = main_file
        self.reopen()

    def writer(
        self, app_log_file: Optional[str], app_root: str, error_log: str, identity: Identity
    ) -> Optional[LogWriter]:
        """The log of an app at this moment.

        :param app_log_file: PassengerAppLogFile, absolute or below the app root.
        :param error_log: the name of the virtual host's ErrorLog.
        """
        if app_log_file:
            own = self._own(os.path.join(app_root, app_log_file), identity, error_log)
            if own is not None:
                return own
        return self._log.main_writer() if self.main_file else self._log.error_log(error_log)

    def reopen(self) -> list[str]:
        """Close every app's own log; the next line opens it again.

        :returns: their paths.
        """
        paths = sorted({path for path, _ in self._open})
        for entry in self._open.values():
            if entry.writer is not None:
                entry.writer.close()
        self._open.clear()
        return paths

    def flush(self) -> None:
        """Write the lines that wait, to logs that did not take them at once."""
        for entry in self._open.values():
            if entry.writer is not None and entry.writer.blocked:
                entry.writer.flush()

    def _own(self, path: str, identity: Identity, error_log: str) -> Optional[LogWriter]:
        entry = self._open.get((path, identity.uid))
        now = time.monotonic()
        if entry is not None and now - entry.checked < _CHECK_INTERVAL:
            return entry.writer
        if entry is not None and entry.writer is not None and _identity(path) == entry.identity:
            entry.checked = now
            return entry.writer
        failed_before = entry is not None and entry.writer is None
        if entry is not None and entry.writer is not None:
            entry.writer.close()
        writer = self._try_open(path, identity, error_log, failed_before)
        found = os.fstat(writer.fileno()) if writer is not None else None
        self._open[path, identity.uid] = _OpenLog(writer, (found.st_dev, found.st_ino) if found else (0, 0), now)
        return writer

    def _try_open(self, path: str, identity: Identity, error_log: str, failed_before: bool) -> Optional[LogWriter]:
        try:
            return LogWriter(open_log(path, identity))
        except OSError as error:
            if not failed_before:
                text = "PassengerAppLogFile %s cannot be opened as user %s: %s; the output goes to the ErrorLog"
                self._log.write("error", 3008, text % (path, identity.user, error.strerror), error_log)
            return None


def _identity(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return status.st_dev, status.st_ino
