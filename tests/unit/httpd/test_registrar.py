"""The registration socket: who is answered, and what."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any, Awaitable, Callable, Optional

import pytest

from spawner.errors import OperatorError
from spawner.httpd import registrar
from spawner.httpd.register_message import registration_from
from spawner.httpd.registrar import GroupAddress, Registrar
from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.pool.registration import Registration
from spawner.system import packets
from tests.unit.httpd.test_register_message import REGISTRATION


class Children:
    """A registrar and its socket."""

    def __init__(self, folder: Path, register: Callable[[Registration], GroupAddress], apache_uid: int) -> None:
        self.path = str(folder / "s")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.path)
        os.chmod(self.path, 0o666)
        listener.listen()
        listener.setblocking(False)
        self.log = Log(LogWriter.open(str(folder / "log")))
        self.queue_full: list[tuple[str, int]] = []
        self.registrar = Registrar(
            asyncio.get_running_loop(), listener, apache_uid, "secret", self.log, register,
            lambda group, count: self.queue_full.append((group, count)),
        )  # fmt: skip

    async def ask(self, data: bytes) -> Optional[dict[str, str]]:
        """Send a packet; the answer, or None when the line ends without one."""

        def blocking() -> Optional[dict[str, str]]:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
                line.settimeout(10)
                line.connect(self.path)
                try:
                    line.send(data)
                    packet = packets.receive(line)
                except (ConnectionResetError, BrokenPipeError):
                    return None
                return dict(packet.fields) if packet is not None else None

        return await asyncio.to_thread(blocking)


def accept(_: Registration) -> GroupAddress:
    return GroupAddress("/s", "t", set(), 0)


def ask(
    folder: Path, data: bytes, register: Callable[[Registration], GroupAddress] = accept
) -> Optional[dict[str, str]]:
    async def main() -> Optional[dict[str, str]]:
        children = Children(folder, register, os.getuid())
        answer = await children.ask(data)
        children.registrar.close()
        children.log.close()
        return answer

    return asyncio.run(main())


def message(token: str = "secret", kind: str = "register") -> bytes:
    return packets.encode([("type", kind), ("token", token), *REGISTRATION])


def test_a_registration_is_answered_with_socket_and_token(tmp_path: Path) -> None:
    seen: list[Any] = []

    def register(registration: Registration) -> GroupAddress:
        seen.append(registration)
        return GroupAddress("/path", "word", {"frames", "expect"}, 1)

    answer = ask(tmp_path, message(), register)
    assert answer == {"type": "registered", "socket": "/path", "app_token": "word", "capabilities": "expect frames"}
    assert seen == [registration_from(REGISTRATION)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (message(token="guess"), "token"),
        (message(token=""), "token"),
        (message(kind="status"), "status"),
        (b"5:abc", "message"),
        (packets.encode([("type", "register"), ("token", "secret")]), "without"),
    ],
)
def test_what_is_no_registration_is_refused_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    answer = ask(tmp_path, data)
    assert answer is not None
    assert answer["type"] == "refused"
    assert reason in answer["reason"]


def test_a_group_that_cannot_be_made_is_refused_in_one_line_with_the_reason(tmp_path: Path) -> None:
    def register(_: Registration) -> GroupAddress:
        raise OperatorError("no descriptors left\nmore")

    assert ask(tmp_path, message(), register) == {"type": "refused", "reason": "no descriptors left"}


@pytest.mark.parametrize(("token", "told"), [("secret", [("shop", 7)]), ("guess", [])])
def test_requests_that_found_the_queue_full_are_told_by_whoever_has_the_token(
    tmp_path: Path, token: str, told: list[tuple[str, int]]
) -> None:
    async def main() -> None:
        children = Children(tmp_path, lambda _: GroupAddress("/s", "t", set(), 0), os.getuid())
        fields = [("type", "queue_full"), ("token", token), ("group", "shop"), ("count", "7")]
        answer = await children.ask(packets.encode(fields))
        assert (answer is None) == bool(told)
        assert children.queue_full == told
        children.registrar.close()
        children.log.close()

    asyncio.run(main())


if os.geteuid() == 0:

    def test_another_user_is_not_even_read(tmp_path: Path) -> None:
        async def main() -> None:
            children = Children(tmp_path, lambda _: GroupAddress("/s", "t", set(), 0), 12345)
            children.registrar._allowed = {12345}  # as if this process, root, were any tenant
            assert await children.ask(message()) is None
            children.registrar.close()
            children.log.close()

        asyncio.run(main())
        line = "JS3003: a connection to the registration socket was refused: user root (uid 0)"
        assert line in (tmp_path / "log").read_text()


def timers_of(loop: Any) -> int:
    """How many timers are set."""
    return sum(not timer.cancelled() for timer in loop._scheduled)


async def eventually(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def play(folder: Path, act: Callable[[Children], Awaitable[None]]) -> None:
    async def main() -> None:
        children = Children(folder, accept, os.getuid())
        try:
            await asyncio.wait_for(act(children), 20)
        finally:
            children.registrar.close()
            children.log.close()

    asyncio.run(main())


def test_nothing_is_left_of_a_connection_that_was_answered_or_has_left(tmp_path: Path) -> None:
    async def act(children: Children) -> None:
        loop = asyncio.get_running_loop()
        before, timers = len(os.listdir("/proc/self/fd")), timers_of(loop)
        for data in (None, message(), message("wrong"), b"nonsense", message(kind="queue_full")):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
                line.connect(children.path)
                line.setblocking(False)
                if data is None:
                    continue
                line.send(data)
                while await loop.sock_recv(line, 65_536):
                    pass
        await eventually(lambda: len(os.listdir("/proc/self/fd")) == before)
        assert (timers_of(loop), len(children.registrar._open)) == (timers, 0)

    play(tmp_path, act)


def test_a_child_that_says_nothing_is_left_after_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registrar, "_TIMEOUT", 0.02)

    async def act(children: Children) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.connect(children.path)
            line.setblocking(False)
            assert await asyncio.get_running_loop().sock_recv(line, 1) == b""

    play(tmp_path, act)


def test_of_many_that_say_nothing_the_oldest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registrar, "_MOST_SILENT", 3)

    async def act(children: Children) -> None:
        lines = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(5)]
        for line in lines:
            line.connect(children.path)
            line.setblocking(False)
        for line in lines[:2]:
            assert await asyncio.get_running_loop().sock_recv(line, 1) == b""
        await eventually(lambda: len(children.registrar._open) == 3)
        assert await children.ask(message()) is not None
        for line in lines:
            line.close()

    play(tmp_path, act)
