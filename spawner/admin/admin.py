"""The admin socket: one JSON object per line each way (docs/protocol.md, section 8)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import socket
from typing import Any, Callable, Mapping, Optional

from spawner.admin.commands.command import Caller, Command
from spawner.admin.commands.refusals import BadCommand, Refusal
from spawner.httpd.registrar import peer_uid
from spawner.logs.log import Log
from spawner.system.acceptor import Acceptor

_LINE_LIMIT = 65_536  # bytes of a command, and of what may wait behind one that is being carried out
_PATIENCE = 30.0  # seconds for a command to come and for an answer to be read
_AT_ONCE = 16  # connections of one user, who must not keep others out; more are closed at once
_OF_ALL_USERS = 256  # connections of all users but root and the spawner's own; more are closed at once
_TURN = 0.05  # seconds between two commands of a user other than those: nobody is to keep the spawner busy


class AdminSocket:
    """Answers commands; who may see and do what is decided by the kernel's word on who asks.

    :param listener: owned from now on.
    :param commands: by name.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        log: Log,
        commands: Mapping[str, Command],
        scarce: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._loop = loop
        self._log = log
        self._commands = commands
        self._tasks: dict[asyncio.Task[None], Caller] = {}  # one per connection, with whoever connected
        self._turns: dict[int, float] = {}  # by uid of a user with connections: when the next command has its turn
        self._acceptor = Acceptor(loop, listener, self._accept, scarce)

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
        caller = Caller(uid, uid in (0, os.geteuid()))
        others = [other for other in self._tasks.values() if not other.privileged]
        if list(self._tasks.values()).count(caller) >= _AT_ONCE or (
            not caller.privileged and len(others) >= _OF_ALL_USERS
        ):
            connection.close()
            return
        task = self._loop.create_task(self._serve(connection, caller))
        self._tasks[task] = caller
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        caller = self._tasks.pop(task)
        if caller not in self._tasks.values():
            self._turns.pop(caller.uid, None)

    async def _serve(self, connection: socket.socket, caller: Caller) -> None:
        """Answer the lines of a connection, one after the other."""
        with connection, contextlib.suppress(OSError, asyncio.TimeoutError):
            lines = _Lines(self._loop, connection)
            while True:
                line = await asyncio.wait_for(lines.next(), _PATIENCE)
                if line is None:
                    return
                await self._wait_for_turn(caller)
                answer = await self._answer(line, caller, lines)
                if answer is None:
                    return
                await self._send(connection, answer)

    async def _wait_for_turn(self, caller: Caller) -> None:
        if caller.privileged:
            return
        turn = max(self._turns.get(caller.uid, 0.0), self._loop.time())
        self._turns[caller.uid] = turn + _TURN
        await asyncio.sleep(turn - self._loop.time())

    async def _answer(self, line: bytes, caller: Caller, lines: "_Lines") -> Optional[dict[str, Any]]:
        """The answer to one command; None where whoever asked has gone meanwhile, which ends the wait only."""
        try:
            question = _read(line)
            command = self._command(question)
        except BadCommand as refusal:
            return _refused(refusal)
        work = asyncio.ensure_future(
            command.run(question, caller, lambda told: self._send(lines.connection, {"progress": told}))
        )
        gone = asyncio.ensure_future(lines.peer_gone())
        try:
            await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
            return {"ok": True, **work.result()} if work.done() else None
        except Refusal as refusal:
            return _refused(refusal)
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    def _command(self, question: dict[str, Any]) -> Command:
        command = self._commands.get(question["command"])
        if command is None:
            raise BadCommand("there is no command %r; there are: %s" % (question["command"], ", ".join(self._commands)))
        return command

    async def _send(self, connection: socket.socket, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        await asyncio.wait_for(self._loop.sock_sendall(connection, data), _PATIENCE)


class _Lines:
    """The lines that come at a connection, and whether its other end is still there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
        self.connection = connection
        self._loop = loop
        self._waiting = b""
        self._ended = False

    async def next(self) -> Optional[bytes]:
        """The next line; None when there is none any more, or none ends within the limit.

        :raises OSError: the connection broke.
        """
        while b"\n" not in self._waiting:
            if self._ended or len(self._waiting) > _LINE_LIMIT:
                return None
            await self._read()
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line

    async def peer_gone(self) -> None:
        """Return when the other end is closed; further lines are kept. One that only sends no more is still there.

        :raises OSError: the connection broke.
        """
        while not self._ended and len(self._waiting) <= _LINE_LIMIT:
            await self._read()
        while not self._is_hung_up():
            await asyncio.sleep(1.0)

    async def _read(self) -> None:
        data = await self._loop.sock_recv(self.connection, 4096)
        self._waiting += data
        self._ended = self._ended or not data

    def _is_hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self.connection, 0)
        return bool(poll.poll(0))


def _read(line: bytes) -> dict[str, Any]:
    """A command.

    :raises BadCommand: it is none.
    """
    try:
        question = json.loads(line)
    except (ValueError, RecursionError):
        raise BadCommand("a command is one JSON object on a line") from None
    if not isinstance(question, dict) or not isinstance(question.get("command"), str):
        raise BadCommand('a command looks like {"command": "status"}')
    return question


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {"ok": False, "kind": refusal.kind, "error": str(refusal)}
