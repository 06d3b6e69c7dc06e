"""The control line of a process, with a test at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from spawner.errors import PeerError
from spawner.processes.launcher import control_line, set_up_line
from spawner.processes.process_line import ProcessLine
from spawner.system import packets, untrusted_socket
from spawner.system.packets import Packet


class Clock:
    """Stands in for the loop of a line: time passes only where the test says so."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.add_reader, self.remove_reader = loop.add_reader, loop.remove_reader
        self.now = 1000.0
        self._later: list[_Later] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, action: Callable[[], None]) -> _Later:
        self._later.append(_Later(self.now + seconds, action))
        return self._later[-1]

    def let_pass(self, seconds: float) -> None:
        self.now += seconds
        due = [later for later in self._later if later.when <= self.now]
        self._later = [later for later in self._later if later not in due]
        for later in due:
            later.action()


class _Later:
    def __init__(self, when: float, action: Callable[[], None]) -> None:
        self.when = when
        self.action = action

    def cancel(self) -> None:
        self.action = lambda: None


class Ends:
    """A line and what came out of it."""

    def __init__(
        self,
        uid: Optional[int] = None,
        received: Optional[Callable[[Packet], None]] = None,
        clock: Optional[Clock] = None,
    ) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        set_up_line(ours)
        self.packets: list[Packet] = []
        self.ends: list[Optional[str]] = []
        self.line = ProcessLine(
            clock or asyncio.get_running_loop(),  # type: ignore[arg-type]
            ours,
            os.getuid() if uid is None else uid,
            received or self.packets.append,
            self.ends.append,
        )

    def send(self, kind: str, *descriptors: int) -> None:
        packets.send(self.theirs, [("type", kind)], descriptors)

    def close(self) -> None:
        self.line.close()
        self.theirs.close()


def play(act: Callable[[], Any]) -> None:
    async def main() -> None:
        await act()

    asyncio.run(main())


async def turns() -> None:
    """Let the loop see what is there."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_each_message_is_handed_out_once_in_order_with_its_sender() -> None:
    async def act() -> None:
        ends = Ends()
        for kind in ("hello", "loaded", "ready"):
            ends.send(kind)
        await turns()
        assert [packet.type for packet in ends.packets] == ["hello", "loaded", "ready"]
        assert {(packet.pid, packet.uid) for packet in ends.packets} == {(os.getpid(), os.getuid())}
        ends.close()

    play(act)


def test_what_is_sent_as_soon_as_there_is_a_line_has_its_sender() -> None:
    ours, theirs = control_line()
    packets.send(theirs, [("type", "hello")])
    packet = packets.receive(ours)
    assert packet is not None
    assert (packet.pid, packet.uid) == (os.getpid(), os.getuid())
    ours.close()
    theirs.close()


def test_a_message_without_a_sender_is_nobody_s_not_that_of_the_user_nobody() -> None:
    overflow_uid = int(Path("/proc/sys/kernel/overflowuid").read_text())

    async def act() -> None:
        ends = Ends(uid=overflow_uid)
        ends.line._line.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        ends.send("hello")
        ends.line._line.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        await turns()
        assert ends.packets == []
        assert ends.ends == ["a message without a sender"]
        ends.close()

    play(act)


def test_a_message_that_was_not_dealt_with_to_the_end_is_there_for_the_next_spawner() -> None:
    async def act() -> None:
        killed: list[Packet] = []

        def die(packet: Packet) -> None:
            killed.append(packet)
            os.dup2(successor.fileno(), ends.line.descriptor)  # this spawner's hands are off the line

        ends = Ends(received=die)
        kept = socket.socket(fileno=os.dup(ends.line.descriptor))  # as the descriptor store keeps it
        successor, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        successor.setblocking(False)
        ends.send("ready")
        await turns()
        assert len(killed) == 1
        again = packets.receive(kept)
        assert again is not None
        assert again.type == "ready"
        ends.close()
        for sock in (kept, successor, other):
            sock.close()

    play(act)


def test_the_end_of_the_line_is_told_once_and_without_a_reason() -> None:
    async def act() -> None:
        ends = Ends()
        ends.send("hello")
        ends.theirs.close()
        await turns()
        assert len(ends.packets) == 1
        assert ends.ends == [None]
        ends.close()

    play(act)


def test_what_a_process_said_last_is_heard_though_it_left_messages_unread() -> None:
    async def act() -> None:
        ends = Ends()
        assert ends.line.send([("type", "load")])
        ends.send("failed")
        ends.theirs.close()  # with "load" unread: the kernel reports a reset before what is in the queue
        await turns()
        assert [packet.type for packet in ends.packets] == ["failed"]
        assert ends.ends == [None]
        ends.close()

    play(act)


def test_a_process_of_another_user_is_not_believed() -> None:
    async def act() -> None:
        ends = Ends(uid=os.getuid() + 1)
        ends.send("ready")
        await turns()
        assert ends.packets == []
        (reason,) = ends.ends
        assert reason is not None
        assert "uid %d sends" % os.getuid() in reason
        ends.close()

    play(act)


@pytest.mark.parametrize("data", [b"nonsense", b"5:abc", b"4:a\0b\0,x"])
def test_what_is_no_message_ends_the_line_with_a_reason(data: bytes) -> None:
    async def act() -> None:
        ends = Ends()
        ends.theirs.send(data)
        await turns()
        assert ends.packets == []
        assert ends.ends[0]
        ends.close()

    play(act)


@pytest.mark.parametrize("kernel_refuses", [True, False])
def test_descriptors_that_nobody_asked_for_do_not_arrive(
    kernel_refuses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernel_refuses:
        monkeypatch.setattr(untrusted_socket, "_SO_PASSRIGHTS", -1)

    async def act() -> None:
        ends = Ends()
        before = len(os.listdir("/proc/self/fd"))
        with contextlib.suppress(PermissionError):
            ends.send("hello", 0, 1, 2)
        await turns()
        assert ends.packets == []
        assert len(os.listdir("/proc/self/fd")) <= before
        ends.close()

    play(act)


def test_a_process_that_sends_descriptors_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted_socket, "_SO_PASSRIGHTS", -1)  # as with a kernel before 6.16

    async def act() -> None:
        ends = Ends()
        ends.send("hello", 0)
        await turns()
        assert ends.ends == ["a message has descriptors, which nobody has asked for"]
        ends.close()

    play(act)


def test_a_handler_that_finds_a_mistake_ends_the_line_with_it() -> None:
    async def act() -> None:
        def refuse(packet: Packet) -> None:
            raise PeerError("slot is 'x', not a number")

        ends = Ends(received=refuse)
        ends.send("fork_failed")
        await turns()
        assert ends.ends == ["slot is 'x', not a number"]
        ends.close()

    play(act)


def test_a_process_that_does_not_read_is_told_to_retire_by_the_end_of_the_line() -> None:
    async def act() -> None:
        ends = Ends()
        while ends.line.send([("type", "fork")]):
            pass
        ends.line.retire()
        ends.theirs.settimeout(10)
        while True:
            packet = packets.receive(ends.theirs)
            if packet is None:
                break
            assert packet.type == "fork"
        ends.close()

    play(act)


def test_a_process_that_talks_and_talks_has_a_small_share_of_the_loop_s_time() -> None:
    async def act() -> None:
        clock = Clock()
        heard: list[float] = []

        def take_long(packet: Packet) -> None:
            clock.now += 0.001
            heard.append(clock.now)

        ends = Ends(received=take_long, clock=clock)
        ends.theirs.setblocking(False)
        begun = clock.now
        while clock.now < begun + 4.0:
            with contextlib.suppress(BlockingIOError):
                ends.send("work_done")
            await asyncio.sleep(0)
            clock.let_pass(0.0005)  # what others do in the same turn
        assert len(heard) * 0.001 < 0.25 + 0.1 * 4.0 + 0.05, "a quarter of a second, and a tenth of the time"
        before = len(heard)
        clock.let_pass(1.0)
        await turns()
        assert len(heard) > before, "the rest comes in its time"
        ends.close()

    play(act)


def test_a_few_messages_at_once_are_not_held_up() -> None:
    async def act() -> None:
        clock = Clock()
        heard: list[float] = []

        def take_long(packet: Packet) -> None:
            clock.now += 0.012
            heard.append(clock.now)

        ends = Ends(received=take_long, clock=clock)
        for _ in range(8):
            ends.send("exited")
        for _ in range(2):  # one message in a turn
            await turns()
        assert len(heard) == 8
        ends.close()

    play(act)


@pytest.mark.parametrize(("seconds", "most"), [(0.0, 32), (0.004, 3), (1.0, 1)])
def test_so_many_messages_are_handled_in_one_turn_of_the_loop(seconds: float, most: int) -> None:
    async def act() -> None:
        clock = Clock()
        heard: list[Packet] = []

        def take_long(packet: Packet) -> None:
            clock.now += seconds
            heard.append(packet)

        ends = Ends(received=take_long, clock=clock)
        for _ in range(40):
            ends.send("exited")
        ends.line.read_rest()
        assert len(heard) == most
        ends.close()

    play(act)
