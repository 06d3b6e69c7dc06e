"""The admin socket, over real connections. Checked: each line that is read gets one answer, which is JSON and says
whether it worked; what is no command is refused in words; no task and no descriptor is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any

from tests.fuzz.python.harness import Input, fuzz, instrumented, open_descriptors, wait_for_closings

with instrumented():
    from spawner.admin.admin_socket import AdminSocket
    from spawner.admin.command import Arguments, Caller, NotFound, SendProgress

_LINES = [b'{"command": "echo"}', b'{"command": "steps", "n": 3}', b'{"command": "absent"}', b'{"command": 5}', b"[]"]
_LINES += [b"{", b'"', b"[" * 3000, b"\xff\xfe", b"null", b'{"command": "echo", "x": 1e999}', b'{"command": ""}', b" "]
_MOST_SENT = 50_000  # bytes; with more of them unread, the server ends the connection
_MOST_ROUNDS = 2000
_LOOP = asyncio.new_event_loop()


class _Echo:
    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        return {"keys": sorted(map(str, arguments))}


class _Steps:
    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        for number in range(3):
            await progress({"step": number})
        return {}


class _Absent:
    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        raise NotFound("there is nothing")


_COMMANDS: Any = {"echo": _Echo(), "steps": _Steps(), "absent": _Absent()}


async def _until_quiet(client: socket.socket, received: bytearray) -> None:
    """Let the server work until nothing comes any more."""
    for _ in range(12):
        await asyncio.sleep(0)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            received += client.recv(65536)


async def _talk(given: Input) -> tuple[int, bytes, bool]:
    """How many lines were sent, what came back, and whether the client has waited for it."""
    admin = AdminSocket(asyncio.get_running_loop(), socket.socket(socket.AF_UNIX), _COMMANDS)
    ours, client = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    client.setblocking(False)
    admin._accept(ours)
    sent, received, lines = b"", bytearray(), 0
    while given.left and len(sent) < _MOST_SENT:
        what = given.number()
        part = given.choice(_LINES) if what & 1 else given.take(given.number() % 64)
        part += b"\n" if what & 2 else b""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            sent += part[: client.send(part)] if part else b""
        if what & 4:
            await _until_quiet(client, received)
        if what >= 0xF8:
            break
    lines = sent.count(b"\n")
    waits = given.number() % 4 != 1
    if waits:
        for _ in range(_MOST_ROUNDS):
            await _until_quiet(client, received)
            if received.count(b'"ok"') >= lines:
                break
    client.close()
    await admin.close()
    assert not admin._connections
    return lines, bytes(received), waits


def one(data: bytes) -> None:
    """One connection."""
    before = open_descriptors()
    lines, received, waits = _LOOP.run_until_complete(_talk(Input(data)))
    answers = [json.loads(line) for line in received.split(b"\n")[:-1]]
    finals = [answer for answer in answers if "progress" not in answer]
    assert len(finals) == lines or (not waits and len(finals) <= lines), (lines, answers)
    for answer in finals:
        assert answer["ok"] is True or (answer["kind"] in ("bad_command", "not_found") and answer["error"])
    wait_for_closings()
    assert open_descriptors() == before
    assert not asyncio.all_tasks(_LOOP)


if __name__ == "__main__":
    asyncio.set_event_loop(_LOOP)
    fuzz(one)
