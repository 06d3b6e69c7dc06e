"""Answers the requests that wait for an app that did not start."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Optional

from spawner.pages.failure_page import FailureResponse, as_sent
from spawner.shared import wire

_AT_ONCE = 512  # connections that are answered at the same time; more are closed, which httpd answers by itself
_DRAIN = 262_144  # bytes of a body that are read away at a time
_LINGER = 2.0  # seconds in which a client may read the answer and finish its body


class FailureAnswers:
    """Accepts what waits at a listening socket and answers it, each connection by itself.

    :param timeout: seconds that a request's head may take to arrive.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._loop = loop
        self._timeout = timeout
        self._tasks: set[asyncio.Task[None]] = set()

    def answer_waiting(self, listener: socket.socket, answer: FailureResponse) -> int:
        """Answer every connection that waits now.

        :param answer: what they get.
        :returns: how many there were.
        """
        count = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # none left; or no descriptors, then the next look at the queue tries again
                return count
            count += 1
            if len(self._tasks) >= _AT_ONCE:
                connection.close()
                continue
            connection.setblocking(False)
            task = self._loop.create_task(self._answer(connection, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finish(self, timeout: float) -> None:
        """Wait for the answers under way, then give up on them.

        :param timeout: seconds.
        """
        tasks = list(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, connection: socket.socket, answer: FailureResponse) -> None:
        with connection, contextlib.suppress(OSError, asyncio.TimeoutError):
            head = await asyncio.wait_for(self._head(connection), self._timeout)
            if head is None:
                return
            await asyncio.wait_for(self._loop.sock_sendall(connection, as_sent(answer, head)), self._timeout)
            connection.shutdown(socket.SHUT_WR)
            # Closing with a body unread would reset the connection before the answer is read.
            await asyncio.wait_for(self._drain(connection), _LINGER)

    async def _head(self, connection: socket.socket) -> Optional[dict[bytes, bytes]]:
        """The request's head; None if it is none. A file that comes with it is closed unread."""
        decoder = wire.Decoder(wire.REQUEST_HEAD_LIMIT)
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
