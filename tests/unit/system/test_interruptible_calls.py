"""Calls that somebody else can make block hold nobody up, and end."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest

from spawner.system import interruptible_calls, untrusted_socket
from spawner.system.interruptible_calls import InterruptibleCalls, accept_waiting, allow_interrupts
from spawner.system.untrusted_socket import UntrustedSocket, UnwantedDescriptors, refuse_descriptors

LONG = 3600


@pytest.fixture(autouse=True)
def interrupts() -> None:
    allow_interrupts()


def lingering_socket() -> tuple[socket.socket, socket.socket]:
    """A TCP socket whose last close blocks, and the one at the other end, which reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        silent, _ = server.accept()
    sender.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sender.send(bytes(1 << 20))
    sender.setblocking(True)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LONG))
    return sender, silent


@pytest.fixture
def old_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not refuse descriptors."""
    monkeypatch.setattr(untrusted_socket, "_SO_PASSRIGHTS", -1)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def test_the_close_of_a_socket_that_lingers_in_a_queue_is_interrupted_and_those_behind_it_are_made(
    old_kernel: None, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = UntrustedSocket(pair[0]), pair[1]
    lingering, silent = lingering_socket()
    with silent:
        socket.send_fds(theirs, [b"x"], [lingering.fileno()])
        os.close(lingering.detach())
        done = threading.Event()
        began = time.monotonic()
        ours.close()
        assert time.monotonic() - began < LONG / 1000
        interruptible_calls.submit(done.set)
        assert done.wait(20)
    with pytest.raises(ConnectionResetError):
        theirs.recv(1)


def test_descriptors_that_nobody_asked_for_do_not_become_ours(
    old_kernel: None, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = UntrustedSocket(pair[0]), pair[1]
    before = set(os.listdir("/proc/self/fd"))
    socket.send_fds(theirs, [b"message"], [0, 1, 2])
    for _ in range(2):  # the message stays
        with pytest.raises(UnwantedDescriptors):
            ours.recv(100)
    assert set(os.listdir("/proc/self/fd")) == before
    ours.close()


def test_descriptors_behind_bytes_that_wait_are_not_received_with_them(old_kernel: None) -> None:
    first, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs, UntrustedSocket(first) as ours:
        theirs.send(b"bytes")
        assert ours.recv(100) == b"bytes"
        socket.send_fds(theirs, [b"x"], [0])
        with pytest.raises(UnwantedDescriptors):
            ours.recv(100)


def test_the_kernel_refuses_descriptors_where_it_can(pair: tuple[socket.socket, socket.socket]) -> None:
    refuse_descriptors(pair[0])
    ours, theirs = UntrustedSocket(pair[0]), pair[1]
    try:
        socket.send_fds(theirs, [b"x"], [0])
    except PermissionError:
        with pytest.raises(BlockingIOError):
            ours.recv(1)
    else:  # a kernel before 6.16
        with pytest.raises(UnwantedDescriptors):
            ours.recv(1)
    ours.close()


def test_bytes_and_the_end_come_as_from_any_socket(old_kernel: None, pair: tuple[socket.socket, socket.socket]) -> None:
    with UntrustedSocket(pair[0]) as ours:
        with pytest.raises(BlockingIOError):
            ours.recv(100)
        pair[1].send(b"one")
        assert ours.recv(100) == b"one"
        pair[1].close()
        assert ours.recv(100) == b""


def listening(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "s"))
    listener.listen()
    return listener


def test_all_who_wait_are_accepted_without_blocking(tmp_path: Path) -> None:
    with listening(tmp_path) as listener:
        clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for client in clients:
            client.connect(str(tmp_path / "s"))
        accepted, blocked = accept_waiting(listener.fileno(), 10)
        assert (len(accepted), blocked) == (3, False)
        assert not accepted[0].getblocking()
        for sock in [*clients, *accepted]:
            sock.close()


def test_an_accept_that_another_holder_of_the_socket_makes_block_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ready:
        def register(self, descriptor: int, events: int) -> None:
            """Somebody takes the connection between this look and accept(2)."""

        def poll(self, timeout: int) -> bool:
            return True

    monkeypatch.setattr(interruptible_calls.select, "poll", Ready)
    calls, results = InterruptibleCalls(), []
    with listening(tmp_path) as listener:
        done = threading.Event()

        def call() -> None:
            results.append(accept_waiting(listener.fileno(), 10))
            done.set()

        calls.submit(call)
        assert done.wait(20)
    assert results == [([], True)]
