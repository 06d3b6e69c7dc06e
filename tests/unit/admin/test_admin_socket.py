"""The admin socket, apart from what its commands do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import socket
import time
from pathlib import Path
from typing import Any, Awaitable, Callable

import pytest

from spawner.admin import admin_socket
from spawner.admin.admin_socket import AdminSocket
from spawner.admin.command import Caller, NotFound, SendProgress


class Echo:
    """Answers what it was asked, and by whom."""

    async def run(self, arguments: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        return {"arguments": arguments, "uid": caller.uid, "privileged": caller.privileged}


class Steps:
    """Sends steps first."""

    async def run(self, arguments: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        for number in range(arguments["steps"]):
            await progress({"step": number})
        return {"done": True}


class Absent:
    """Refuses."""

    async def run(self, arguments: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        raise NotFound("there is nothing")


class Waiting:
    """Waits until it is cancelled."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def run(self, arguments: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        self.started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            self.cancelled.set()
        return {}


Talk = Callable[[str, Waiting], Awaitable[Any]]


def with_admin(folder: Path, talk: Talk) -> Any:
    """Run a coroutine that talks to an admin socket at the path that it is given."""

    async def main() -> Any:
        path = str(folder / "s")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)
        waiting = Waiting()
        commands = {"echo": Echo(), "steps": Steps(), "absent": Absent(), "wait": waiting}
        socket_here = AdminSocket(asyncio.get_running_loop(), listener, commands)
        try:
            return await asyncio.wait_for(talk(path, waiting), 20)
        finally:
            await socket_here.close()

    return asyncio.run(main())


def ask(folder: Path, *lines: bytes, answers: int = 0) -> list[dict[str, Any]]:
    """The lines that come back for lines on one connection."""

    async def talk(path: str, _: Waiting) -> list[dict[str, Any]]:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"".join(line + b"\n" for line in lines))
        received = [json.loads(await reader.readline()) for _ in range(answers or len(lines))]
        writer.close()
        await writer.wait_closed()
        return received

    found: list[dict[str, Any]] = with_admin(folder, talk)
    return found


def test_each_line_is_answered_in_turn(tmp_path: Path) -> None:
    first, second = ask(tmp_path, b'{"command": "echo"}', b'{"command": "echo", "x": 1}')
    assert (first["ok"], second["arguments"]["x"]) == (True, 1)


def test_root_and_the_spawner_s_own_user_are_not_restricted(tmp_path: Path) -> None:
    (answer,) = ask(tmp_path, b'{"command": "echo"}')
    assert (answer["uid"], answer["privileged"]) == (os.getuid(), True)


@pytest.mark.parametrize("line", [b"echo", b"[]", b"{}", b'{"command": 1}', b'{"command": "reboot"}', b"\xff"])
def test_what_is_no_command_is_refused_in_words(tmp_path: Path, line: bytes) -> None:
    (answer,) = ask(tmp_path, line)
    assert (answer["ok"], answer["kind"]) == (False, "bad_command")
    assert "command" in answer["error"]


def test_nesting_without_end_is_no_command(tmp_path: Path) -> None:
    (answer,) = ask(tmp_path, b"[" * 30_000)
    assert answer["kind"] == "bad_command"


def test_a_refusal_names_its_kind(tmp_path: Path) -> None:
    assert ask(tmp_path, b'{"command": "absent"}') == [
        {"ok": False, "kind": "not_found", "error": "there is nothing"},
    ]


def test_progress_comes_before_the_answer(tmp_path: Path) -> None:
    answers = ask(tmp_path, b'{"command": "steps", "steps": 2}', answers=3)
    assert answers == [{"progress": {"step": 0}}, {"progress": {"step": 1}}, {"ok": True, "done": True}]


def test_a_connection_that_closes_ends_the_wait(tmp_path: Path) -> None:
    async def talk(path: str, waiting: Waiting) -> None:
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"command": "wait"}\n')
        await waiting.started.wait()
        assert not waiting.cancelled.is_set()
        writer.close()
        await writer.wait_closed()
        await waiting.cancelled.wait()

    with_admin(tmp_path, talk)


def test_one_that_sends_no_more_still_gets_its_answer(tmp_path: Path) -> None:
    async def talk(path: str, _: Waiting) -> bytes:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"command": "steps", "steps": 300}\n')
        writer.write_eof()
        answers = await reader.readuntil(b"true}\n")
        writer.close()
        await writer.wait_closed()
        return answers

    lines = with_admin(tmp_path, talk).splitlines()
    assert json.loads(lines[-1]) == {"ok": True, "done": True}


def test_one_user_has_so_many_connections_and_no_more(tmp_path: Path) -> None:
    async def talk(path: str, _: Waiting) -> bytes:
        lines = [await asyncio.open_unix_connection(path) for _ in range(16)]
        reader, writer = await asyncio.open_unix_connection(path)
        too_many = await reader.read()
        lines[0][1].write(b'{"command": "echo"}\n')
        answer = await lines[0][0].readline()
        for _, other in [*lines, (reader, writer)]:
            other.close()
            await other.wait_closed()
        return too_many + answer

    assert json.loads(with_admin(tmp_path, talk))["ok"] is True


def test_another_user_has_a_command_now_and_then_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_socket, "peer_uid", lambda _: 4711)
    before = time.monotonic()
    answers = ask(tmp_path, *[b'{"command": "echo"}'] * 5)
    assert [answer["privileged"] for answer in answers] == [False] * 5
    assert time.monotonic() - before >= 0.19


def test_all_other_users_together_have_so_many_connections_and_no_more_and_root_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = iter([*range(1001, 1258), 0])
    monkeypatch.setattr(admin_socket, "peer_uid", lambda _: next(users))

    async def talk(path: str, _: Waiting) -> bytes:
        lines = [await asyncio.open_unix_connection(path) for _ in range(257)]
        too_many = await lines[256][0].read()
        lines.append(await asyncio.open_unix_connection(path))
        answers = b""
        for reader, writer in (lines[255], lines[257]):
            writer.write(b'{"command": "echo"}\n')
            answers += await reader.readline()
        for _, writer in lines:
            writer.close()
            await writer.wait_closed()
        return too_many + answers

    answers = [json.loads(line) for line in with_admin(tmp_path, talk).splitlines()]
    assert [(answer["uid"], answer["privileged"]) for answer in answers] == [(1256, False), (0, True)]


def test_a_command_has_its_time_as_a_whole_however_many_parts_it_comes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_socket, "_TIMEOUT", 0.1)

    async def talk(path: str, _: Waiting) -> bytes:
        reader, writer = await asyncio.open_unix_connection(path)
        closed, parts = asyncio.ensure_future(reader.read()), 0
        while not closed.done() and parts < 500:
            writer.write(b" ")
            parts += 1
            await asyncio.wait([closed], timeout=0.02)
        writer.close()
        assert parts < 500
        with contextlib.suppress(ConnectionResetError):  # what was sent last is not read
            return await closed
        return b""

    assert with_admin(tmp_path, talk) == b""


def test_an_answer_has_its_time_as_a_whole_however_little_of_it_the_client_takes_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_socket, "_TIMEOUT", 0.1)

    async def talk(path: str, _: Waiting) -> bool:
        loop, line = asyncio.get_running_loop(), socket.socket(socket.AF_UNIX)
        with line:
            line.setblocking(False)
            await loop.sock_connect(line, path)
            with contextlib.suppress(BlockingIOError, BrokenPipeError):  # the answers are not read, soon nothing is
                while True:
                    line.send(b'{"command": "steps", "steps": 100000}\n')
            hung_up = select.poll()
            hung_up.register(line, 0)
            for _ in range(200):
                await asyncio.sleep(0.02)
                line.recv(512)
                if hung_up.poll(0):
                    return True
        return False

    assert with_admin(tmp_path, talk)


def test_a_line_without_an_end_ends_the_connection_and_a_long_command_does_not(tmp_path: Path) -> None:
    async def talk(path: str, _: Waiting) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(json.dumps({"command": "echo", "x": "x" * 60_000}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await reader.readuntil(b"}\n"))
        writer.write(b"x" * 80_000)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        return answer

    assert with_admin(tmp_path, talk)["ok"]


def test_what_comes_behind_a_command_that_is_carried_out_is_kept_up_to_a_bound(tmp_path: Path) -> None:
    async def talk(path: str, waiting: Waiting) -> int:
        loop, line = asyncio.get_running_loop(), socket.socket(socket.AF_UNIX)
        with line:
            line.setblocking(False)
            await loop.sock_connect(line, path)
            await loop.sock_sendall(line, b'{"command": "wait"}\n')
            await waiting.started.wait()
            taken = 0
            with contextlib.suppress(asyncio.TimeoutError):
                while taken < 10_000_000:
                    await asyncio.wait_for(loop.sock_sendall(line, b"x" * 4096), 0.2)
                    taken += 4096
        return taken

    in_kernel = 300_000  # what a pair of sockets holds, and some more
    assert with_admin(tmp_path, talk) < 65_536 + 4096 + in_kernel


def test_nothing_is_kept_of_a_user_whose_connections_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_socket, "peer_uid", lambda _: 4711)

    async def main() -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        listener.setblocking(False)
        here = AdminSocket(asyncio.get_running_loop(), listener, {"echo": Echo()})
        before = len(os.listdir("/proc/self/fd"))
        lines = [await asyncio.open_unix_connection(str(tmp_path / "s")) for _ in range(20)]  # 4 of them are refused
        for reader, writer in lines[:2]:
            writer.write(b'{"command": "echo"}\n')
            await reader.readline()
        assert list(here._next_command) == [4711]
        for _, writer in lines:
            writer.close()
        while here._connections or len(os.listdir("/proc/self/fd")) > before:
            await asyncio.sleep(0.001)
        assert here._next_command == {}
        await here.close()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_two_connections_of_a_user_share_its_commands_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_socket, "peer_uid", lambda _: 4711)

    async def talk(path: str, _: Waiting) -> None:
        lines = [await asyncio.open_unix_connection(path) for _ in range(5)]
        for _, writer in lines:
            writer.write(b'{"command": "echo"}\n')
        for reader, _ in lines:
            assert await reader.readline()
        for _, writer in lines:
            writer.close()
            await writer.wait_closed()

    before = time.monotonic()
    with_admin(tmp_path, talk)
    assert time.monotonic() - before >= 0.19
