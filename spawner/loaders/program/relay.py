"""Passes the bytes of accepted connections on to a program that listens elsewhere, and back.

Each connection is two directions. A direction holds at most one piece that its target has not taken, and reads no
further before: so a slow reader slows the writer down. The end of one direction is passed on by itself (half-close).
"""

import errno
import socket
from typing import Callable, Dict, Optional

from .event_loop import HANG_UP, READ, WRITE, EventLoop

_PIECE = 1 << 16  # bytes


class Direction:
    """From one socket to the other. Invariant: `ended` with nothing pending means that the target was told."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self._source = source
        self._target = target
        self._pending = memoryview(b"")
        self.ended = False

    @property
    def finished(self) -> bool:
        """Whether all has been passed on, the end included."""
        return self.ended and not self._pending

    @property
    def wants_to_read(self) -> bool:
        """Whether there is room for more."""
        return not self.ended and not self._pending

    @property
    def wants_to_write(self) -> bool:
        """Whether the target has to take something before."""
        return bool(self._pending)

    def read(self) -> None:
        """Take a piece from the source and pass it on. Raises OSError when one of the sockets is broken."""
        try:
            data = self._source.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        self.ended = not data
        self._pending = memoryview(data)
        self.write()

    def write(self) -> None:
        """Pass on as much as the target takes. Raises OSError."""
        while self._pending:
            try:
                sent = self._target.send(self._pending)
            except (BlockingIOError, InterruptedError):
                return
            self._pending = self._pending[sent:]
        if self.ended:
            self._shut_down()

    def _shut_down(self) -> None:
        try:
            self._target.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # it has ended by itself
                raise


class RelayedConnection:
    """A client's connection and the one to the program. Closes both when both directions have finished."""

    def __init__(
        self,
        loop: EventLoop,
        client: socket.socket,
        program: socket.socket,
        ended: Callable[["RelayedConnection"], None],
    ) -> None:
        self._loop = loop
        self._client = client
        self._program = program
        self._ended = ended
        self._request = Direction(client, program)
        self._response = Direction(program, client)
        self._interests: Dict[socket.socket, Optional[int]] = {client: None, program: None}
        self._update()

    def close(self) -> None:
        """End it, whatever is still to come."""
        for one, interest in self._interests.items():
            if interest is not None:
                self._loop.forget(one.fileno())
            one.close()
        self._ended(self)

    def _on_client(self, events: int) -> None:
        if events & HANG_UP and not events & READ:
            self.close()  # it has left: nobody would read the response
            return
        self._move(events, self._request, self._response)

    def _on_program(self, events: int) -> None:
        self._move(events | (READ if events & HANG_UP else 0), self._response, self._request)

    def _move(self, events: int, incoming: Direction, outgoing: Direction) -> None:
        """Deal with the events of one socket: the source of one direction and the target of the other."""
        try:
            if events & WRITE and outgoing.wants_to_write:
                outgoing.write()
            if events & READ and incoming.wants_to_read:
                incoming.read()
        except OSError:
            self.close()  # one of the two has gone: the other one sees that its connection is cut
            return
        if self._request.finished and self._response.finished:
            self.close()
        else:
            self._update()

    def _update(self) -> None:
        # The client is watched in any case, for its leaving. The program is not while nothing is wanted of it: what it
        # has sent before it ended is to be read, when there is room again.
        self._watch(self._client, self._interest(self._request, self._response), self._on_client)
        self._watch(self._program, self._interest(self._response, self._request) or None, self._on_program)

    @staticmethod
    def _interest(incoming: Direction, outgoing: Direction) -> int:
        return (READ if incoming.wants_to_read else 0) | (WRITE if outgoing.wants_to_write else 0)

    def _watch(self, one: socket.socket, events: Optional[int], handler: Callable[[int], None]) -> None:
        before, self._interests[one] = self._interests[one], events
        if before == events:
            return
        if before is None:
            assert events is not None  # nosec B101  # it differs
            self._loop.watch(one.fileno(), events, handler)
        elif events is None:
            self._loop.forget(one.fileno())
        else:
            self._loop.change(one.fileno(), events)
