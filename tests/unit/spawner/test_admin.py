"""The admin socket, apart from what `status` says."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any, Optional

import pytest

from spawner.admin import AdminSocket
from spawner.line_sink import LineSink
from spawner.log import Log


def ask(folder: Path, *lines: bytes) -> list[dict[str, Any]]:
    """The answers to lines on one connection."""

    def status(question: dict[str, Any], scope: Optional[int]) -> dict[str, Any]:
        return {"ok": True, "question": question, "scope": scope}

    async def main() -> list[dict[str, Any]]:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "s"))
        listener.listen()
        listener.setblocking(False)
        log = Log(LineSink.open(os.devnull))
        admin = AdminSocket(asyncio.get_running_loop(), listener, log, {"status": status})
        reader, writer = await asyncio.open_unix_connection(str(folder / "s"))
        writer.write(b"".join(line + b"\n" for line in lines))
        answers = [json.loads(await asyncio.wait_for(reader.readline(), 10)) for _ in lines]
        writer.close()
        await writer.wait_closed()
        await admin.close()
        log.close()
        return answers

    return asyncio.run(main())


def test_each_line_is_answered_in_turn(tmp_path: Path) -> None:
    first, second = ask(tmp_path, b'{"command": "status"}', b'{"command": "status", "x": 1}')
    assert (first["ok"], second["question"]["x"]) == (True, 1)


def test_root_and_the_spawner_s_own_user_are_not_restricted(tmp_path: Path) -> None:
    assert ask(tmp_path, b'{"command": "status"}')[0]["scope"] is None


@pytest.mark.parametrize("line", [b"status", b"[]", b"{}", b'{"command": 1}', b'{"command": "reboot"}', b"\xff"])
def test_what_is_no_command_is_refused_in_words(tmp_path: Path, line: bytes) -> None:
    (answer,) = ask(tmp_path, line)
    assert answer["ok"] is False
    assert "command" in answer["error"]
