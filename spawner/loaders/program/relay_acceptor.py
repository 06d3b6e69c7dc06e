"""Accepts on the group's socket for a program that listens elsewhere.

A connection is accepted when the program has taken one: what it does not take waits in the group's queue, where limits
and deadlines hold, and where another process may take it.
"""

import select
import socket
from typing import Any, Callable, List, Optional, Set, Union

from .addresses import NotListening, Port, PrivateSocket, QueueFull, is_connected
from .event_loop import WRITE, EventLoop, Timer
from .relay import RelayedConnection

_PAUSES = (0.005, 0.01, 0.02, 0.05, 0.1)  # seconds until the program is tried again that does not take connections
_MOST_PER_TURN = 16  # connections; then others have a turn

Address = Union[Port, PrivateSocket]


class RelayAcceptor:
    """Owns the relayed connections.

    Invariant: the group's socket is watched exactly if it accepts, has had and has fewer connections than it may, and
    no connection to the program is being made or waited for (`_program`, `_pause`).
    """

    def __init__(
        self,
        loop: EventLoop,
        listener: socket.socket,
        address: Address,
        most: int,
        slot: Optional[Any],
        warn: Callable[[str], None],
    ) -> None:
        """`most`: connections at a time, each with one request; 0: any number. `slot`: the writer of the worker's slot
        in the scoreboard, if the program does not write there itself. `warn`: writes a line to the app's log.
        """
        self._loop = loop
        self._listener = listener
        self._address = address
        self._most = most
        self._slot = slot
        self._warn = warn
        self._connections: Set[RelayedConnection] = set()
        self._program: Optional[socket.socket] = None  # a connection that is being made
        self._pause: Optional[Timer] = None
        self._pauses = 0
        self._accepts = True
        self._accepted = self._max_requests = 0
        self._stops_at_max = self._is_worn = False
        self._on_max_requests: Callable[[], None] = lambda: None
        self._waiting = select.poll()
        self._waiting.register(listener, select.POLLIN)
        self._on_drained: List[Callable[[], None]] = []
        self._watch()

    def limit_requests(self, most: int, stops: bool, reached: Callable[[], None]) -> None:
        """Call `reached` when so many connections were accepted, and with `stops` accept no more; 0: no limit."""
        self._max_requests, self._stops_at_max, self._on_max_requests = most, stops, reached

    def stop(self, drained: Callable[[], None]) -> None:
        """Accept nothing more, but what has woken this process only; call `drained` when nothing is open any more."""
        if self._accepts:
            if self._program is None and self._pause is None and not self._is_full():
                self._accept_one()
            self._accepts = False
            self._unwatch()
        self._on_drained.append(drained)
        self._call_if_drained()

    def close(self) -> None:
        """End all connections."""
        self._accepts = False
        self._unwatch()
        for connection in list(self._connections):
            connection.close()

    def _is_full(self) -> bool:
        return self._is_worn or 0 < self._most <= len(self._connections)

    def _watch(self) -> None:
        self._loop.watch_exclusively(self._listener.fileno(), self._on_waiting)

    def _unwatch(self) -> None:
        self._loop.forget(self._listener.fileno())
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._program is not None:
            self._loop.forget(self._program.fileno())
            self._program.close()
            self._program = None

    def _on_waiting(self, events: int) -> None:
        for _ in range(_MOST_PER_TURN):
            if not self._accept_one():
                return

    def _accept_one(self) -> bool:
        """Accept a connection; False if there is none, or the program does not take it now."""
        if not self._waiting.poll(0):
            return False
        try:
            program = self._address.connect()
        except (NotListening, QueueFull, OSError):
            self._wait()
            return False
        try:
            if is_connected(program):
                return self._accept_for(program)
        except (NotListening, OSError):
            program.close()
            self._wait()
            return False
        # Its queue is full: nothing is accepted until it takes this one.
        self._loop.forget(self._listener.fileno())
        self._program = program
        self._loop.watch(program.fileno(), WRITE, self._on_connected)
        return False

    def _on_connected(self, events: int) -> None:
        program, self._program = self._program, None
        assert program is not None  # nosec B101  # it is what is watched
        self._loop.forget(program.fileno())
        try:
            if not is_connected(program):
                raise NotListening
        except (NotListening, OSError):
            program.close()
            self._wait()
            return
        self._accept_for(program)
        self._watch_again()

    def _accept_for(self, program: socket.socket) -> bool:
        """Accept a connection for one to the program that is made; False if nobody waits, or it is not ours."""
        if not self._address.is_ours(program):
            program.close()
            self._warn("%s: a program of another user listens there; it is sent nothing" % self._address)
            self._wait()
            return False
        try:
            self._listener.setblocking(False)  # the flag is shared with whoever has this socket, the program included
            client, _ = self._listener.accept()
        except OSError:
            program.close()  # another process was faster
            return False
        client.setblocking(False)
        self._pauses = 0
        if self._slot is not None:
            self._slot.request_started()
        self._connections.add(RelayedConnection(self._loop, client, program, self._ended))
        self._count()
        if self._is_full():
            self._loop.forget(self._listener.fileno())
            return False
        return True

    def _count(self) -> None:
        self._accepted += 1
        if self._accepted == self._max_requests:
            self._is_worn = self._stops_at_max
            self._on_max_requests()

    def _wait(self) -> None:
        """The program takes nothing now: leave the connections in the queue for a while."""
        if self._pause is None and self._accepts:
            self._loop.forget(self._listener.fileno())
            seconds = _PAUSES[min(self._pauses, len(_PAUSES) - 1)]
            self._pauses += 1
            self._pause = self._loop.call_later(seconds, self._pause_is_over)

    def _pause_is_over(self) -> None:
        self._pause = None
        self._watch_again()

    def _watch_again(self) -> None:
        if self._accepts and self._program is None and self._pause is None and not self._is_full():
            self._loop.forget(self._listener.fileno())
            self._watch()

    def _ended(self, connection: RelayedConnection) -> None:
        was_full = self._is_full()
        self._connections.discard(connection)
        if self._slot is not None:
            self._slot.request_finished(True)
        if was_full:
            self._watch_again()
        self._call_if_drained()

    def _call_if_drained(self) -> None:
        if not self._connections:
            calls, self._on_drained = self._on_drained, []
            for call in calls:
                call()
