"""Who answers requests of an app that does not start: how many at a time, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Any, Awaitable, Callable

import pytest

from spawner.pages import error_responder
from spawner.pages.error_responder import ErrorResponder
from spawner.pages.start_error_page import short_response
from spawner.start_failure import StartFailure

HEAD = b"24:CONTENT_LENGTH\0000\0SCGI\0001\0,"
ANSWER = short_response(StartFailure("import", "no module"), 5)


class Scene:
    """An app's socket, its clients, and the responder."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.path = str(folder / "s")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.responder = ErrorResponder(self.loop, timeout)
        self.accepted: list[int] = []
        self._clients: list[socket.socket] = []

    def client(self, data: bytes = b"") -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.path)
        client.setblocking(False)
        client.send(data)
        self._clients.append(client)
        return client

    async def answer_waiting(self) -> None:
        self.responder.answer_waiting(self.listener, ANSWER, self.accepted.append)
        while not self.accepted:
            await asyncio.sleep(0.001)

    async def read_all(self, client: socket.socket) -> bytes:
        """What comes until the connection is closed."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while part := await self.loop.sock_recv(client, 65_536):
                data += part
        return data

    def close(self) -> None:
        for sock in [self.listener, *self._clients]:
            sock.close()


def play(folder: Path, act: Callable[[Scene], Awaitable[Any]], timeout: float = 10.0) -> None:
    async def main() -> None:
        scene = Scene(folder, timeout)
        try:
            await asyncio.wait_for(act(scene), 20)
        finally:
            scene.close()
        await scene.responder.finish(1.0)

    asyncio.run(main())


def test_only_so_many_are_answered_at_a_time_and_the_others_are_closed_for_httpd_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_responder, "_CONNECTIONS", 4)

    async def act(scene: Scene) -> None:
        silent = [scene.client() for _ in range(3)]
        late = scene.client(HEAD)
        await scene.answer_waiting()
        assert scene.accepted == [4]
        assert await scene.read_all(late) == b""
        for client in silent:
            client.send(HEAD)
            assert b"500 Internal Server Error" in await scene.read_all(client)

    play(tmp_path, act)


def test_a_head_has_its_time_as_a_whole_however_many_parts_it_comes_in(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        client, parts = scene.client(b"9"), 0
        await scene.answer_waiting()
        with contextlib.suppress(OSError):
            while parts < 1000:
                await asyncio.sleep(0.005)
                client.send(b"0" if parts < 3 else b":" if parts == 3 else b"x")
                parts += 1
        assert parts < 1000

    play(tmp_path, act, timeout=0.05)


def test_a_client_that_goes_on_sending_its_body_is_left_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_responder, "_LINGER", 0.05)

    async def act(scene: Scene) -> None:
        client, parts = scene.client(HEAD), 0
        await scene.answer_waiting()
        with contextlib.suppress(OSError):
            while parts < 1000:
                await asyncio.sleep(0.005)
                client.send(b"x" * 1000)
                parts += 1
        assert parts < 1000

    play(tmp_path, act)


def test_nothing_is_left_of_answers_that_the_end_has_cut(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        clients = [scene.client() for _ in range(5)]
        before = len(os.listdir("/proc/self/fd"))
        await scene.answer_waiting()
        await asyncio.sleep(0.01)
        await scene.responder.finish(0.0)
        assert not scene.responder._tasks
        assert len(os.listdir("/proc/self/fd")) == before
        for client in clients:
            assert await scene.read_all(client) == b""

    play(tmp_path, act)


def test_a_socket_at_which_accept_has_blocked_is_left_alone_for_five_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def accept_waiting(descriptor: int, most: int) -> tuple[list[socket.socket], bool]:
        calls.append(descriptor)
        return [], True

    monkeypatch.setattr(error_responder.interruptible_calls, "accept_waiting", accept_waiting)

    async def act(scene: Scene) -> None:
        await scene.answer_waiting()
        (until,) = scene.responder._blocked_until.values()
        assert 4.5 < until - scene.loop.time() <= 5.0
        before = len(os.listdir("/proc/self/fd"))
        scene.responder.answer_waiting(scene.listener, ANSWER, scene.accepted.append)
        await scene.responder.finish(0.0)
        assert (len(calls), len(os.listdir("/proc/self/fd"))) == (1, before)
        scene.responder._blocked_until = dict.fromkeys(scene.responder._blocked_until, scene.loop.time())
        scene.responder.answer_waiting(scene.listener, ANSWER, scene.accepted.append)
        while len(calls) < 2:
            await asyncio.sleep(0.001)

    play(tmp_path, act)
