"""What a process is told when it starts (docs/protocol.md, section 5): which app to import, within which limits, and,
for `load` of a direct process and for `fork`, which worker it becomes.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Iterator, Optional, Sequence, Union

from spawner.app_types import app_type_of
from spawner.options import ServerOptions
from spawner.pool.group import Group
from spawner.pool.pool import Pool
from spawner.pool.process import SLOTS, Process
from spawner.pool.registration import Registration
from spawner.processes.app_process import AppProcess, AppRegistry
from spawner.processes.group_resources import backlog_for
from spawner.processes.launcher import interpreter_of
from spawner.processes.stack_capture import BACKTRACE_SIGNAL
from spawner.state_store.instance_directory import InstanceDirectory
from spawner.state_store.state_store import StateStore

Fields = list[tuple[str, str]]

_MOST_ROUTES = 4  # of a process that says hello again and again


class SlotAssignment:
    """Which worker of its group a process becomes.

    :ivar fields: the slot, and the route if it has a socket of its own.
    :ivar routes: that one route, or none.
    :ivar descriptors: that socket.
    """

    def __init__(self, number: int, route: str = "", listener: Optional[socket.socket] = None) -> None:
        self.fields: Fields = [("slot", str(number)), *([("route", route)] if route else [])]
        self.routes = (route,) if route else ()
        self.descriptors = (listener.fileno(),) if listener is not None else ()


@contextlib.contextmanager
def new_assignment(
    number: int, registration: Registration, app_socket: str, server: ServerOptions, instance: InstanceDirectory
) -> Iterator[SlotAssignment]:
    """A worker slot, with a socket of its own for PassengerStickySessions, beside the one of its group.

    The socket is closed behind the block, and its path removed if the block raises: then nobody has got it.

    :raises OSError: the socket cannot be made.
    """
    if not registration.options.sticky_sessions:
        yield SlotAssignment(number)
        return
    route, listener = instance.listen_for_worker(app_socket, backlog_for(registration, server))
    try:
        yield SlotAssignment(number, route, listener)
    except BaseException:
        instance.remove_worker_socket(app_socket, route)
        raise
    finally:
        listener.close()


class LoadSender:
    """Has processes import their app.

    :param server_software: httpd's name and version.
    :param lifeline: descriptor of the pipe that ends when httpd has ended; it stays the caller's.
    """

    def __init__(
        self,
        pool: Pool,
        registry: AppRegistry,
        instance: InstanceDirectory,
        state_store: StateStore,
        server_software: str,
        lifeline: int,
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._instance = instance
        self._state_store = state_store
        self._server_software = server_software
        self._lifeline = lifeline

    def send(self, process: AppProcess) -> None:
        """Send `load` to a process that the pool has. A direct process is told which worker it becomes.

        If it has had a `load` before, that was for the interpreter that the app has replaced; or a spawner was killed
        when it had sent it, and that is the one that counts. So each socket that it has been given stays until `ready`
        says which one it has.

        :raises OSError: a direct process cannot get its own socket, or the process does not read its control line.
        """
        if process.slot is None:
            self._send(process, [], ())
            return
        registration = self._registry.groups.entries[process.key].registration
        app_socket = self._registry.groups.handles[process.key].path
        with new_assignment(process.slot, registration, app_socket, self._pool.server, self._instance) as slot:
            self._set_routes(process, (*process.routes, *slot.routes)[-_MOST_ROUTES:])
            # Before the process can have the socket: the next spawner removes those that it does not know.
            self._state_store.update_process(self._registry.processes.entries[process.process_id], process)
            self._send(process, slot.fields, slot.descriptors)

    def keep_route(self, process: AppProcess, route: str) -> None:
        """A process is up, and says which socket it has of those that it has been given: the others go."""
        self._set_routes(process, tuple(one for one in process.routes if one == route) or process.routes[-1:])

    def _set_routes(self, process: AppProcess, routes: tuple[str, ...]) -> None:
        for route in process.routes:
            if route not in routes:
                self._instance.remove_worker_socket(self._registry.groups.handles[process.key].path, route)
        process.routes = routes

    def _send(self, process: AppProcess, slot_fields: Fields, own_socket: Sequence[int]) -> None:
        group, resources = self._registry.groups.entries[process.key], self._registry.groups.handles[process.key]
        entry = self._registry.processes.entries[process.process_id]
        cap = self._pool.capacity.cap(group)
        told = load_fields(group, entry, cap, resources.token, self._server_software, self._pool.server)
        fields = [*told, *slot_fields]
        descriptors = (resources.listener.fileno(), resources.scoreboard.descriptor, self._lifeline, *own_socket)
        process.line.send_or_fail(fields, descriptors)


def load_fields(
    group: Group, entry: Process, cap: int, token: str, server_software: str, server: ServerOptions
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
        *_fields_of_type(group, server),
    ]


def _fields_of_type(group: Group, server: ServerOptions) -> Fields:
    """What only loaders of some app types need."""
    registration, options = group.registration, group.registration.options
    app_type = app_type_of(registration.app_type)
    told = [(name, _text(getattr(options, option))) for name, option in app_type.load_fields]
    if app_type.supervised:
        told += [
            ("interpreter", interpreter_of(registration, server)),
            ("start_command", options.app_start_command or ""),
            ("failed_starts", str(group.backoff.failures)),
        ]
    return told


def _text(value: Union[None, bool, int, str]) -> str:
    """The value of an option as messages have it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)


def limits_of(registration: Registration, single_request: bool) -> Fields:
    """The fields about the limits of a process.

    :param single_request: it is to serve one request and end.
    """
    options = registration.options
    smart = registration.preloads and not single_request
    return [
        ("threads", str(threads_of(registration))),
        ("max_requests", str(1 if single_request else options.max_requests)),
        ("stop_at_max_requests", "1" if smart or single_request else "0"),
        ("backtrace_signal", str(BACKTRACE_SIGNAL)),
    ]


def threads_of(registration: Registration) -> int:
    """How many requests a worker serves at the same time; 0: any number."""
    options = registration.options
    if app_type_of(registration.app_type).supervised:
        return max(0, options.force_max_concurrent_requests_per_process)
    if options.concurrency_model != "thread":
        return 1
    forced = options.force_max_concurrent_requests_per_process
    return min(options.thread_count, forced) if forced > 0 else options.thread_count
