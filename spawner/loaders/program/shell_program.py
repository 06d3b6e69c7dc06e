"""Any program that a start command runs: how it is executed, when it accepts, and how connections come to it.

A start command may name the port PORT of 127.0.0.1, or the socket PASSENGER_SOCKET that the program is to make. If it
names neither, the program may accept on the group's socket, which is its descriptor 3, or on that port. Behind a port
or a socket of its own, the supervisor accepts for it and relays the bytes. If the number of requests at a time is
limited, descriptor 3 is such a socket, too: a program accepts whatever comes.
"""

import os
import socket
from typing import Any, Callable, List, Optional, Tuple

from ..python.core.control_line import ControlMessage
from . import accept_evidence, process_view
from .addresses import (
    InheritedSocket,
    NotificationSocket,
    NotListening,
    Port,
    PrivateFolder,
    PrivateSocket,
    QueueFull,
    is_connected,
)
from .event_loop import READ, Timer
from .relay_acceptor import Address, RelayAcceptor
from .socket_diagnostics import backlog_of
from .start_command import command_of, shell_arguments, ways_of, without_ours
from .supervised_program import Execution, SupervisedProgram, SupervisorCalls

CAPABILITIES = "http"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between two looks whether the program accepts
_GROWTH = 1.2
_LOOKS_AFTER_READY = 60  # at addresses, of a program of which it is not certain that it uses descriptor 3
_LONGEST_CONFIGURATION = 512 * 1024  # characters


def _command_in(path: str) -> str:
    """Return the start command that the file `path` names. Raises NoCommand, OSError."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return command_of(file.read(_LONGEST_CONFIGURATION), path)


class ShellProgram(SupervisedProgram):
    """Invariant: `_relay` is set once the program is known to accept at an address; `_is_up` from then on, or from
    when it is known to accept on the group's socket.
    """

    def __init__(self, load: ControlMessage) -> None:
        configuration = os.path.join(load.get("app_root"), load.get("startup_file"))
        self._command = load.get("start_command") or _command_in(configuration)
        self._most = int(load.get("threads") or 0)
        self._max_requests = int(load.get("max_requests") or 0)
        self._stops_at_max = load.get("stop_at_max_requests") == "1"
        self._ways = ways_of(self._command)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, load.descriptors[0])
        self._listener.setblocking(False)
        self._backlog = backlog_of(load.descriptors[0])
        # A program that needs the port for itself alone has failed then. The next start is tried without.
        self._port = Port(held=int(load.get("failed_starts") or 0) % 2 == 0)
        # The group's socket would be accepted on without end. So the program inherits one of its own, behind a relay.
        bounded = self._ways.inherited and self._most > 0
        self._folder = PrivateFolder() if self._ways.own_socket or bounded else None
        self._socket = PrivateSocket(self._folder) if self._folder is not None and self._ways.own_socket else None
        self._inherited = InheritedSocket(self._folder, self._most) if self._folder is not None and bounded else None
        self._notifications = NotificationSocket()
        self._supervisor: SupervisorCalls
        self._slot: Any = None
        self._pid = 0
        self._relay: Optional[RelayAcceptor] = None
        self._is_up = False
        self._pause = _FIRST_PAUSE
        self._looks_left = _LOOKS_AFTER_READY
        self._timer: Optional[Timer] = None
        self._warned = False

    def __str__(self) -> str:
        return self._command

    def prepare(self) -> Execution:
        variables = {"PORT": str(self._port.number)}
        given: List[int] = []
        if self._socket is not None:
            variables["PASSENGER_SOCKET"] = self._socket.path
        if self._ways.inherited:
            given = [(self._inherited.listener if self._inherited is not None else self._listener).fileno()]
            variables.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), NOTIFY_SOCKET=self._notifications.name)
        environment = {**without_ours(os.environ), **variables}
        return Execution(shell_arguments(self._command), environment, given, self._close_given)

    def _close_given(self) -> None:
        if self._inherited is not None:
            self._inherited.listener.close()

    def begin(self, supervisor: SupervisorCalls, slot: object, session: int) -> None:
        self._supervisor, self._slot, self._pid = supervisor, slot, session
        supervisor.loop.watch(self._notifications.fileno(), READ, self._on_notification)
        self._look()

    def retire(self, deadline: float) -> None:
        self._stop_looking()
        if self._relay is not None:
            self._relay.stop(self._supervisor.terminate)
        else:
            self._slot.worker_ready()  # from now on it has as much time as one that is idle
            self._supervisor.terminate()

    def show_backtraces(self, pid: int, write: Callable[[str], None]) -> None:
        lines = ["Stack (most recent call first):", "  (the calls of a program are not known; its threads:)", ""]
        write("\n".join(lines + process_view.threads(pid)))

    def ended(self, done: Callable[[], None]) -> None:
        self._stop_looking()
        if self._relay is not None:
            self._relay.stop(lambda: self._ended(done))
        else:
            self._ended(done)

    def _ended(self, done: Callable[[], None]) -> None:
        if self._is_up:
            self._slot.worker_ended()
        done()

    def close(self) -> None:
        if self._folder is not None:
            self._folder.remove()

    # When it accepts

    def _look(self) -> None:
        """Look whether the program accepts; if not, look again after a while."""
        self._timer = None
        for address in self._addresses():
            if self._accepts_at(address):
                self._serve_at(address)
                return
        if self._is_up:
            self._looks_left -= 1
        elif self._ways.inherited:
            self._look_at_inherited()
        if not self._is_up or self._looks_left:
            self._timer = self._supervisor.loop.call_later(self._pause, self._look)
            self._pause = min(self._pause * _GROWTH, _LONGEST_PAUSE)

    def _addresses(self) -> Tuple[Address, ...]:
        found: Tuple[Address, ...] = (self._socket,) if self._socket is not None else ()
        return (*found, self._port) if self._ways.port or self._ways.inherited else found

    def _accepts_at(self, address: Address) -> bool:
        try:
            connection = address.connect()
        except (NotListening, QueueFull, OSError):
            return False
        try:
            if not is_connected(connection):
                return False
            if address.is_ours(connection):
                return True
            if not self._warned:
                self._supervisor.warn("%s: a program of another user listens there; it is sent nothing" % address)
            self._warned = True
        except (NotListening, OSError):
            pass
        finally:
            connection.close()
        return False

    def _look_at_inherited(self) -> None:
        own = self._inherited
        inode = own.inode if own is not None else os.fstat(self._listener.fileno()).st_ino
        evidence = accept_evidence.look(self._pid, inode)
        if evidence == accept_evidence.ACCEPTS:
            self._looks_left = 0
        if evidence == accept_evidence.ACCEPTS or (evidence and (own is None or own.is_taken())):
            self._serve_inherited()

    def _on_notification(self, events: int) -> None:
        if self._notifications.says_ready() and self._ways.inherited and not self._is_up:
            self._serve_inherited()

    def _serve_inherited(self) -> None:
        """The program accepts on descriptor 3."""
        if self._inherited is None:
            self._serve_by_itself()
        else:
            self._looks_left = 0
            self._serve_at(self._inherited)

    def _serve_by_itself(self) -> None:
        """The program accepts on the group's socket."""
        self._is_up = True
        if self._backlog is not None:
            self._listener.listen(self._backlog)  # the program may have called listen(2): the queue keeps its length
        self._supervisor.ready(CAPABILITIES)
        self._slot.requests_are_unknown()

    def _serve_at(self, address: Address) -> None:
        """The program accepts at an address of its own."""
        self._is_up = True
        self._supervisor.ready(CAPABILITIES)
        self._slot.worker_ready()
        loop, warn = self._supervisor.loop, self._supervisor.warn
        self._relay = RelayAcceptor(loop, self._listener, address, self._most, self._slot, warn)
        self._relay.limit_requests(self._max_requests, self._stops_at_max, self._say_max_requests)

    def _say_max_requests(self) -> None:
        self._supervisor.send("max_requests_reached", [("requests", str(self._max_requests))])

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
