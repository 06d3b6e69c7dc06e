"""Where lines go: the logs that httpd has opened and those that are configured by path."""

from __future__ import annotations

import os

from spawner.admin.command import Failed
from spawner.httpd.parent_line import ServerConfiguration
from spawner.logs.app_logs import AppLogs
from spawner.logs.log import Log


class LogConfiguration:
    """Configures the spawner's log and those of the apps."""

    def __init__(self, log: Log, app_logs: AppLogs) -> None:
        self._log = log
        self._app_logs = app_logs
        self._path = ""  # PassengerLogFile

    def apply(self, configuration: ServerConfiguration) -> None:
        """Use the logs of a new configuration. What goes to stdout and stderr follows the main one."""
        options = configuration.options
        self._log.keep_error_logs(set(configuration.logs))
        for name, descriptor in configuration.detach_logs().items():
            if name == "":
                _redirect_standard_streams(descriptor)
            self._log.set_error_log(name, descriptor)
        self._log.level = options.log_level
        self._path = options.log_file or ""
        try:
            self._log.set_log_file(options.log_file)
        except OSError as error:
            self._log.error(3044, "PassengerLogFile cannot be opened: %s: %s" % (options.log_file, error.strerror))
        self._app_logs.configure(options.log_level, bool(options.log_file))

    def reopen(self) -> list[str]:
        """Open the logs again that were opened here. httpd opens its own again with its next (graceful) restart.

        :returns: their paths.
        :raises Failed: PassengerLogFile cannot be opened; lines go where they went before.
        """
        try:
            self._log.set_log_file(self._path or None)
        except OSError as error:
            raise Failed("PassengerLogFile %s cannot be opened: %s" % (self._path, error.strerror)) from error
        return ([self._path] if self._path else []) + self._app_logs.reopen()

    def flush(self) -> None:
        """Write the lines that wait for logs that did not take them at once."""
        self._log.flush()
        self._app_logs.flush()


def _redirect_standard_streams(descriptor: int) -> None:
    """Have lines that do not pass the spawner's log (of the interpreter, of libraries) go to httpd's present log.

    The streams that this process was started with lead to the old file after a rotation.
    """
    for standard in (1, 2):
        os.dup2(descriptor, standard)
