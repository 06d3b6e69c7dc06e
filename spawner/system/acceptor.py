"""Accepts connections at a listening socket, for as long as there are descriptors to accept them with."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Callable, Optional

_MOST_PER_CALL = 64  # connections; then the loop serves others
_RETRY = 1.0  # seconds until the next try when there was no descriptor or memory
_EXHAUSTED = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])


class Acceptor:
    """Accepts the connections of a listening socket, which it owns.

    :param listener: non-blocking.
    :param on_accept: called with each connection, non-blocking, which it owns.
    :param on_exhausted: called when there was no descriptor or memory to accept with; the connection waits.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        on_accept: Callable[[socket.socket], None],
        on_exhausted: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._on_accept = on_accept
        self._on_exhausted = on_exhausted
        self._retry: Optional[asyncio.TimerHandle] = None
        self._resume()

    def replace_listener(self, listener: socket.socket) -> None:
        """Accept at another socket instead: the path of the one before was removed."""
        self.close()
        self._listener = listener
        self._resume()

    def close(self) -> None:
        """Stop accepting and close the socket."""
        self._stop()
        self._listener.close()

    def _resume(self) -> None:
        self._retry = None
        self._loop.add_reader(self._listener, self._readable)

    def _stop(self) -> None:
        self._loop.remove_reader(self._listener)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _readable(self) -> None:
        for _ in range(_MOST_PER_CALL):
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:  # the socket stays readable: asking again at once would only burn time
                    self._on_exhausted(error)
                    self._stop()
                    self._retry = self._loop.call_later(_RETRY, self._resume)
                return
            connection.setblocking(False)
            self._on_accept(connection)
