"""Makes the AppProcess of an entry of the pool: its output goes to the app's log, its events to their handlers."""

from __future__ import annotations

import asyncio
import socket
from typing import Optional
from weakref import WeakValueDictionary

from spawner.daemon.start_timeouts import StartTimeouts
from spawner.logs.app_logs import AppLogs
from spawner.logs.app_output import AppOutput, OutputFormat
from spawner.logs.log_writer import LogWriter
from spawner.pool.process import Process
from spawner.pool.registration import Registration
from spawner.processes.app_process import AppProcess, AppRegistry, ProcessEvents
from spawner.system.linux import Identity
from spawner.system.loop_share import LoopShare


class ProcessFactory:
    """Makes processes that were just started, and those that were recovered.

    :param registry: they are attached to it.
    :param line_length: bytes after which a line of output is split.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        registry: AppRegistry,
        events: ProcessEvents,
        app_logs: AppLogs,
        start_timeouts: StartTimeouts,
        line_length: int,
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._events = events
        self._app_logs = app_logs
        self._start_timeouts = start_timeouts
        self._line_length = line_length
        self._output_shares: WeakValueDictionary[str, LoopShare] = WeakValueDictionary()  # by app; its processes own it

    def add(self, entry: Process, identity: Identity, line: socket.socket, output: int) -> AppProcess:
        """Make the process of an entry.

        :param identity: the user that it runs as.
        :param line: the spawner's end of the control line, which the process owns from now on.
        :param output: the read end of the output pipe, which it owns, too.
        """
        logs, groups = self._app_logs, self._registry.groups
        registered = groups.entries[entry.key].registration

        def present() -> Registration:
            """The app as it is configured at this moment, or was when the group was dropped."""
            group = groups.entry(entry.key)
            return group.registration if group is not None else registered

        def writer() -> Optional[LogWriter]:
            registration = present()
            options = registration.options
            return logs.writer(options.app_log_file, registration.app_root, registration.error_log, identity)

        def output_format() -> OutputFormat:
            return OutputFormat(logs.level, not present().options.disable_log_prefix)

        app_output = AppOutput(output, 0, writer, output_format, self._line_length)
        values = (entry.process_id, entry.key, entry.kind, entry.generation, entry.slot)
        share = self._output_shares.setdefault(entry.key, LoopShare(self._loop.time()))
        process = AppProcess(self._loop, self._events, *values, identity, line, app_output, share)
        self._registry.processes.attach(entry.process_id, process)
        self._start_timeouts.watch(entry.process_id)
        return process
