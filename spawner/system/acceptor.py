"""Accepts connections at a listening socket, for as long as there are descriptors to accept them with."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Callable, Optional

_AT_ONCE = 64  # then others have their turn
_PAUSE = 1.0  # seconds until the next try when the machine or this process has no descriptor left
_SCARCE = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])


class Acceptor:
    """Hands out the connections of a listening socket, which it owns.

    :param listener: non-blocking.
    :param accepted: called with each connection, non-blocking, which is its own.
    :param scarce: told that there was no descriptor or memory for one: it waits.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        accepted: Callable[[socket.socket], None],
        scarce: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._accepted = accepted
        self._scarce = scarce
        self._pause: Optional[asyncio.TimerHandle] = None
        self._resume()

    def replace_listener(self, listener: socket.socket) -> None:
        """Listen on another socket: the one before lost its path."""
        self.close()
        self._listener = listener
        self._resume()

    def close(self) -> None:
        """Accept nothing any more."""
        self._stop()
        self._listener.close()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._readable)

    def _stop(self) -> None:
        self._loop.remove_reader(self._listener)
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _SCARCE:  # the socket stays readable: asking again at once would only burn time
                    self._scarce(error)
                    self._stop()
                    self._pause = self._loop.call_later(_PAUSE, self._resume)
                return
            connection.setblocking(False)
            self._accepted(connection)
