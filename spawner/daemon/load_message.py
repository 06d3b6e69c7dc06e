"""`load`, which tells a loader what to import and within which limits (docs/protocol.md, section 5)."""

from __future__ import annotations

from spawner.options import AppOptions
from spawner.pool.group import Group
from spawner.pool.pool import Pool
from spawner.pool.process import SLOTS, Process
from spawner.pool.registration import Registration
from spawner.processes.app_process import AppProcess, AppRegistry
from spawner.processes.stack_capture import BACKTRACE_SIGNAL

Fields = list[tuple[str, str]]


class LoadSender:
    """Has processes import their app.

    :param server_software: httpd's name and version.
    :param lifeline: descriptor of the pipe that ends when httpd has ended; it stays the caller's.
    """

    def __init__(
        self, pool: Pool, registry: AppRegistry, server_software: str, lifeline: int
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._server_software = server_software
        self._lifeline = lifeline

    def send(self, process: AppProcess) -> bool:
        """Send `load` to a process that the pool has; False if it does not read."""
        group, resources = self._registry.groups.entries[process.key], self._registry.groups.handles[process.key]
        entry = self._registry.processes.entries[process.process_id]
        cap = self._pool.capacity.cap(group)
        fields = load_fields(group, entry, cap, resources.token, self._server_software)
        descriptors = (resources.listener.fileno(), resources.scoreboard.descriptor, self._lifeline)
        return process.line.send(fields, descriptors)


def load_fields(
    group: Group, entry: Process, cap: int, token: str, server_software: str
) -> Fields:
    """The message for one process.

    :param cap: the most workers that the group may have.
    :param token: the app's secret.
    :param server_software: httpd's name and version.
    """
    options = group.registration.options
    return [
        ("type", "load"),
        ("app_root", group.registration.app_root),
        ("startup_file", group.registration.startup_file),
        ("group", group.key),
        ("generation", str(entry.generation)),
        ("app_token", token),
        ("scoreboard_slots", str(SLOTS)),
        ("multiprocess", "1" if cap > 1 else "0"),
        ("server_software", server_software),
        ("friendly", "1" if options.friendly_error_pages else "0"),
        *limits_of(group.registration, entry.single_request),
    ]


def limits_of(registration: Registration, single_request: bool) -> Fields:
    """The fields about the limits of a process.

    :param single_request: it is to serve one request and end.
    """
    options = registration.options
    smart = options.spawn_method == "smart" and not single_request
    return [
        ("threads", str(threads_of(options))),
        ("max_requests", str(1 if single_request else options.max_requests)),
        ("stop_at_max_requests", "1" if smart or single_request else "0"),
        ("backtrace_signal", str(BACKTRACE_SIGNAL)),
    ]


def threads_of(options: AppOptions) -> int:
    """How many requests a worker serves at the same time."""
    if options.concurrency_model != "thread":
        return 1
    forced = options.force_max_concurrent_requests_per_process
    return min(options.thread_count, forced) if forced > 0 else options.thread_count
