"""The admin socket: one JSON object per line each way (docs/protocol.md, section 8)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import socket
from typing import Any, Callable, Mapping, Optional

from spawner.admin.command import Arguments, BadCommand, Caller, Command, Refusal
from spawner.system.acceptor import Acceptor
from spawner.system.linux import peer_uid
from spawner.system.untrusted_socket import UntrustedSocket

_LINE_LIMIT = 65_536  # bytes of a command, and of the lines that wait behind one that is carried out
_TIMEOUT = 30.0  # seconds for a command to come, and for an answer to be read
_MOST_PER_USER = 16  # connections, so that one user does not keep others out; more are closed at once
_MOST_UNPRIVILEGED = 256  # connections of all users but root and the spawner's own; more are closed at once
_COMMAND_INTERVAL = 0.05  # seconds between two commands of such a user, who must not keep the spawner busy


class AdminSocket:
    """Answers commands; the kernel's word on who sends them decides what they may see and do.

    :param listener: owned from now on.
    :param commands: by name.
    :param on_exhausted: see Acceptor.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        commands: Mapping[str, Command],
        on_exhausted: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._loop = loop
        self._commands = commands
        self._connections: dict[asyncio.Task[None], Caller] = {}
        self._next_command: dict[int, float] = {}  # by the uid of a throttled user: the earliest loop time
        self._acceptor = Acceptor(loop, listener, self._accept, on_exhausted)

    def replace_listener(self, listener: socket.socket) -> None:
        """Listen on another socket instead: the path of the one before was removed."""
        self._acceptor.replace_listener(listener)

    async def close(self) -> None:
        """Close the socket and every connection."""
        self._acceptor.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, accepted: socket.socket) -> None:
        connection = UntrustedSocket(accepted)
        uid = peer_uid(connection)
        caller = Caller(uid, uid in (0, os.geteuid()))
        callers = list(self._connections.values())
        unprivileged = sum(not other.privileged for other in callers)
        if callers.count(caller) >= _MOST_PER_USER or (not caller.privileged and unprivileged >= _MOST_UNPRIVILEGED):
            connection.close()
            return
        task = self._loop.create_task(self._serve(connection, caller))
        self._connections[task] = caller
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        caller = self._connections.pop(task)
        if caller not in self._connections.values():
            self._next_command.pop(caller.uid, None)

    async def _serve(self, connection: socket.socket, caller: Caller) -> None:
        """Answer the commands of a connection, one after the other."""
        with connection, contextlib.suppress(OSError, asyncio.TimeoutError):
            lines = _LineReader(self._loop, connection)
            while True:
                line = await asyncio.wait_for(lines.next(), _TIMEOUT)
                if line is None:
                    return
                await self._throttle(caller)
                answer = await self._answer(line, caller, lines)
                if answer is None:
                    return
                await self._send(connection, answer)

    async def _throttle(self, caller: Caller) -> None:
        if caller.privileged:
            return
        start = max(self._next_command.get(caller.uid, 0.0), self._loop.time())
        self._next_command[caller.uid] = start + _COMMAND_INTERVAL
        await asyncio.sleep(start - self._loop.time())

    async def _answer(self, line: bytes, caller: Caller, lines: "_LineReader") -> Optional[dict[str, Any]]:
        """The answer to one command; None if the caller has left meanwhile, which ends the wait only."""
        try:
            arguments = _parse(line)
            command = self._command(arguments["command"])
        except BadCommand as refusal:
            return _refused(refusal)
        work = asyncio.ensure_future(
            command.run(arguments, caller, lambda step: self._send(lines.connection, {"progress": step}))
        )
        closed = asyncio.ensure_future(lines.peer_closed())
        try:
            await asyncio.wait([work, closed], return_when=asyncio.FIRST_COMPLETED)
            return {"ok": True, **work.result()} if work.done() else None
        except Refusal as refusal:
            return _refused(refusal)
        finally:
            for task in (work, closed):
                task.cancel()
            await asyncio.gather(work, closed, return_exceptions=True)

    def _command(self, name: str) -> Command:
        command = self._commands.get(name)
        if command is None:
            raise BadCommand("there is no command %r; there are: %s" % (name, ", ".join(self._commands)))
        return command

    async def _send(self, connection: socket.socket, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        await asyncio.wait_for(self._loop.sock_sendall(connection, data), _TIMEOUT)


class _LineReader:
    """The lines of a connection, and whether its other end is still open."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
        self.connection = connection
        self._loop = loop
        self._buffer = b""
        self._at_end = False

    async def next(self) -> Optional[bytes]:
        """The next line; None at the end, or if a line is longer than the limit.

        :raises OSError: the connection broke.
        """
        while b"\n" not in self._buffer:
            if self._at_end or len(self._buffer) > _LINE_LIMIT:
                return None
            await self._read()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    async def peer_closed(self) -> None:
        """Return when the other end is closed. Lines that come are kept. A client that only sends no more is no end.

        :raises OSError: the connection broke.
        """
        while not self._at_end and len(self._buffer) <= _LINE_LIMIT:
            await self._read()
        while not self._is_hung_up():
            await asyncio.sleep(1.0)

    async def _read(self) -> None:
        data = await self._loop.sock_recv(self.connection, 4096)
        self._buffer += data
        self._at_end = self._at_end or not data

    def _is_hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self.connection, 0)
        return bool(poll.poll(0))


def _parse(line: bytes) -> Arguments:
    """The command of a line.

    :raises BadCommand: it is none.
    """
    try:
        arguments = json.loads(line)
    except (ValueError, RecursionError):
        raise BadCommand("a command is one JSON object on a line") from None
    if not isinstance(arguments, dict) or not isinstance(arguments.get("command"), str):
        raise BadCommand('a command looks like {"command": "status"}')
    return arguments


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {"ok": False, "kind": refusal.kind, "error": str(refusal)}
