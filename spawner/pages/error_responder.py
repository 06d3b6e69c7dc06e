"""Answers the requests that wait for an app that did not start."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Optional

from spawner.pages.start_error_page import ErrorResponse, response_bytes
from spawner.shared import constants, wire

_CONNECTIONS = 512  # answered at the same time; further ones are closed, and httpd answers these requests itself
_DRAIN = 262_144  # bytes of a body that are read and thrown away at a time
_LINGER = 2.0  # seconds in which a client may read the answer and finish its body


class ErrorResponder:
    """Accepts the connections that wait at a listening socket, and answers each in a task of its own.

    :param timeout: seconds that a request's head may take to arrive.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._loop = loop
        self._timeout = timeout
        self._tasks: set[asyncio.Task[None]] = set()

    def answer_waiting(self, listener: socket.socket, answer: ErrorResponse) -> int:
        """Answer every connection that waits now.

        :param answer: the answer to each of them.
        :returns: how many there were.
        """
        count = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # none left, or no descriptors: then the next check of the queue tries again
                return count
            count += 1
            if len(self._tasks) >= _CONNECTIONS:
                connection.close()
                continue
            connection.setblocking(False)
            task = self._loop.create_task(self._answer(connection, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finish(self, timeout: float) -> None:
        """Wait for the answers that are being sent, then cancel the rest.

        :param timeout: seconds.
        """
        tasks = list(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, connection: socket.socket, answer: ErrorResponse) -> None:
        with connection, contextlib.suppress(OSError, asyncio.TimeoutError):
            head = await asyncio.wait_for(self._head(connection), self._timeout)
            if head is None:
                return
            await asyncio.wait_for(self._loop.sock_sendall(connection, response_bytes(answer, head)), self._timeout)
            connection.shutdown(socket.SHUT_WR)
            # Closing while a part of the body is unread would reset the connection before the client reads the answer.
            await asyncio.wait_for(self._drain(connection), _LINGER)

    async def _head(self, connection: socket.socket) -> Optional[dict[bytes, bytes]]:
        """The request's head; None if it is invalid. A file descriptor that comes with it is discarded."""
        decoder = wire.Decoder(constants.REQUEST_HEAD_LIMIT)
        while True:
            data = await self._loop.sock_recv(connection, 65_536)
            if not data:
                return None
            try:
                pairs = decoder.feed(data)
            except wire.WireError:
                return None
            if pairs is not None:
                return dict(pairs)

    async def _drain(self, connection: socket.socket) -> None:
        while await self._loop.sock_recv(connection, _DRAIN):
            pass
