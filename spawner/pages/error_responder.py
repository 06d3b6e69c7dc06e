"""Answers the requests that wait for an app that did not start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any, Callable, Coroutine, Iterable, Optional

from spawner.pages.request_head import RequestHeadDecoder
from spawner.pages.start_error_page import ErrorResponse, response_bytes
from spawner.shared import wire
from spawner.system import interruptible_calls

_CONNECTIONS = 512  # answered at the same time; further ones are closed, and httpd answers these requests itself
_DRAIN = 262_144  # bytes of a body that are read and thrown away at a time
_PAUSE = 5.0  # seconds in which a listening socket is left alone at which accept(2) has blocked
_LINGER = 2.0  # seconds in which a client may read the answer and finish its body


class ErrorResponder:
    """Accepts the connections that wait at a listening socket, and answers each in a task of its own.

    :param timeout: seconds that a request's head may take to arrive.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._loop = loop
        self._timeout = timeout
        self._tasks: set[asyncio.Task[None]] = set()
        self._blocked_until: dict[int, float] = {}  # loop times by the inode of a listening socket

    def answer_waiting(
        self, listener: socket.socket, answer: ErrorResponse, on_accepted: Callable[[int], None]
    ) -> None:
        """Answer every connection that waits now.

        An app shares its listening socket, and may make accept(2) block. Then its own requests are not answered for
        some seconds; httpd answers them.

        :param answer: the answer to each of them.
        :param on_accepted: called with how many there were.
        """
        try:
            own = listener.dup()  # the group may close its own meanwhile
        except OSError:  # no descriptors: the next check of the queue tries again
            return
        inode = os.fstat(own.fileno()).st_ino
        if self._loop.time() < self._blocked_until.get(inode, 0.0):
            own.close()
            return
        self._start(self._answer_waiting(own, inode, answer, on_accepted))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_waiting(
        self, listener: socket.socket, inode: int, answer: ErrorResponse, on_accepted: Callable[[int], None]
    ) -> None:
        connections, blocked = await self._accept(listener)
        if blocked:
            self._blocked_until = {one: time for one, time in self._blocked_until.items() if time > self._loop.time()}
            self._blocked_until[inode] = self._loop.time() + _PAUSE
        on_accepted(len(connections))
        for connection in connections:
            if len(self._tasks) >= _CONNECTIONS:
                connection.close()
            else:
                self._start(self._answer(connection, answer))

    def _accept(self, listener: socket.socket) -> asyncio.Future[tuple[list[socket.socket], bool]]:
        """Accept in the thread for calls that may block."""
        accepted: asyncio.Future[tuple[list[socket.socket], bool]] = self._loop.create_future()

        def deliver(result: tuple[list[socket.socket], bool]) -> None:
            if accepted.cancelled():
                _close_all(result[0])
            else:
                accepted.set_result(result)

        def call() -> None:
            with listener:
                result = interruptible_calls.accept_waiting(listener.fileno(), _CONNECTIONS)
            try:
                self._loop.call_soon_threadsafe(deliver, result)
            except RuntimeError:  # the loop has ended meanwhile
                _close_all(result[0])

        interruptible_calls.submit(call)
        return accepted

    async def finish(self, timeout: float) -> None:
        """Wait for the answers that are being sent, then cancel the rest.

        :param timeout: seconds.
        """
        end = self._loop.time() + timeout
        while self._tasks and self._loop.time() < end:  # a task that accepts starts others
            await asyncio.wait(self._tasks, timeout=end - self._loop.time(), return_when=asyncio.FIRST_COMPLETED)
        tasks = list(self._tasks)
        for task in tasks:
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
        """The request's head; None if it is invalid. A file descriptor that comes with it is discarded.

        :raises OSError: the connection broke.
        """
        decoder = RequestHeadDecoder()
        while True:
            data = await self._loop.sock_recv(connection, 65_536)
            if not data:
                return None
            try:
                head = decoder.feed(data)
            except wire.WireError:
                return None
            if head is not None:
                return head

    async def _drain(self, connection: socket.socket) -> None:
        while await self._loop.sock_recv(connection, _DRAIN):
            pass


def _close_all(connections: Iterable[socket.socket]) -> None:
    for connection in connections:
        connection.close()
