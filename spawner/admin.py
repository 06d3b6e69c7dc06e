"""The admin socket: one JSON object per line each way (docs/protocol.md, section 8)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from typing import Any, Callable, Optional

from spawner.acceptor import Acceptor
from spawner.log import Log
from spawner.registrar import peer_uid

_LINE_LIMIT = 65_536  # bytes of a command
_PATIENCE = 30.0  # seconds for a command to come and for an answer to be read
_AT_ONCE = 16  # connections of one user, who must not keep others out; more are closed at once

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
        self._tasks: dict[asyncio.Task[None], int] = {}  # one per connection, with the uid of whoever connected
        self._acceptor = Acceptor(loop, listener, self._accept)

    def replace_listener(self, listener: socket.socket) -> None:
        """Listen on another socket: the one before lost its path."""
        self._acceptor.replace_listener(listener)

    async def close(self) -> None:
        """Answer nobody any more."""
        self._acceptor.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, connection: socket.socket) -> None:
        uid = peer_uid(connection)
        scope = None if uid in (0, os.geteuid()) else uid
        if list(self._tasks.values()).count(uid) >= _AT_ONCE:
            connection.close()
            return
        task = self._loop.create_task(self._serve(connection, scope))
        self._tasks[task] = uid
        task.add_done_callback(self._tasks.pop)

    async def _serve(self, connection: socket.socket, scope: Optional[int]) -> None:
        with connection, contextlib.suppress(OSError, asyncio.TimeoutError):
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
