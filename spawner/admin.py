"""The admin socket: one JSON object per line each way (docs/protocol.md, section 8)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from typing import Any, Callable, Optional

from spawner.log import Log
from spawner.registrar import peer_uid

_LINE_LIMIT = 65_536  # bytes of a command
_PATIENCE = 30.0  # seconds for a command to come and for an answer to be read
_AT_ONCE = 64  # connections; more are closed at once

# Gives the answer to a command for a user; uid None sees and does everything.
Command = Callable[[dict[str, Any], Optional[int]], dict[str, Any]]


class AdminSocket:
    """Answers commands; who may see what is decided by the kernel's word on who asks.

    :param listener: owned from now on.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, log: Log, commands: dict[str, Command]
    ) -> None:
        self._loop = loop
        self._log = log
        self._commands = commands
        self._listener = listener
        self._tasks: set[asyncio.Task[None]] = set()
        loop.add_reader(listener, self._accept)

    def replace_listener(self, listener: socket.socket) -> None:
        """Listen on another socket: the one before lost its path."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._listener = listener
        self._loop.add_reader(listener, self._accept)

    async def close(self) -> None:
        """Answer nobody any more."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        if len(self._tasks) >= _AT_ONCE:
            connection.close()
            return
        task = self._loop.create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, asyncio.TimeoutError):
            uid = peer_uid(connection)
            scope = None if uid in (0, os.geteuid()) else uid
            waiting = b""
            while True:
                while b"\n" not in waiting:
                    data = await asyncio.wait_for(self._loop.sock_recv(connection, 4096), _PATIENCE)
                    if not data or len(waiting) > _LINE_LIMIT:
                        return
                    waiting += data
                line, _, waiting = waiting.partition(b"\n")
                answer = json.dumps(self._answer(line, scope)).encode() + b"\n"
                await asyncio.wait_for(self._loop.sock_sendall(connection, answer), _PATIENCE)

    def _answer(self, line: bytes, scope: Optional[int]) -> dict[str, Any]:
        try:
            question = json.loads(line)
        except ValueError:
            return _refusal("a command is one JSON object on a line")
        if not isinstance(question, dict) or not isinstance(question.get("command"), str):
            return _refusal('a command looks like {"command": "status"}')
        command = self._commands.get(question["command"])
        if command is None:
            return _refusal("there is no command %r; there are: %s" % (question["command"], ", ".join(self._commands)))
        return command(question, scope)


def _refusal(reason: str) -> dict[str, Any]:
    return {"ok": False, "error": reason}
