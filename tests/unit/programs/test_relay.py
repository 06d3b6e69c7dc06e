"""Connections that are accepted for a program and relayed to it."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest

from spawner.loaders.program.addresses import PrivateFolder, PrivateSocket
from spawner.loaders.program.event_loop import EventLoop
from spawner.loaders.program.relay_acceptor import RelayAcceptor

TIMEOUT = 20.0


class Counter:
    """Stands for the slot in the scoreboard."""

    def __init__(self) -> None:
        self.running = 0
        self.finished = 0

    def request_started(self) -> None:
        self.running += 1

    def request_finished(self, served: bool) -> None:
        self.running -= 1
        self.finished += served


class World:
    """A group's socket, a relay in a thread, and a program that this test is."""

    def __init__(self, folder: Path, most: int = 0) -> None:
        self.most = most
        self.private = PrivateFolder()
        self.address = PrivateSocket(self.private)
        self.program = socket.socket(socket.AF_UNIX)
        self.program.settimeout(TIMEOUT)
        self.group = socket.socket(socket.AF_UNIX)
        self.group.bind(str(folder / "group.sock"))
        self.group.listen(16)
        self.group.setblocking(False)
        self.slot = Counter()
        self.warnings: list[str] = []
        self.loop = EventLoop()
        self.relay: RelayAcceptor
        self.drained = threading.Event()
        self._wake, self._waker = os.pipe()
        self._told: list[object] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def listen(self, backlog: int = 16) -> None:
        self.program.bind(self.address.path)
        self.program.listen(backlog)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(TIMEOUT)
        client.connect(self.group.getsockname())
        return client

    def accept(self) -> socket.socket:
        connection, _ = self.program.accept()
        connection.settimeout(TIMEOUT)
        return connection

    def pair(self) -> tuple[socket.socket, socket.socket]:
        client = self.connect()
        return client, self.accept()

    def retire(self) -> None:
        os.write(self._waker, b"r")

    def stop(self) -> None:
        os.write(self._waker, b"s")
        self._thread.join(TIMEOUT)
        for one in (self.program, self.group):
            one.close()
        for descriptor in (self._wake, self._waker):
            os.close(descriptor)
        self.private.remove()

    def _run(self) -> None:
        self.relay = RelayAcceptor(self.loop, self.group, self.address, self.most, self.slot, self.warnings.append)
        self.loop.watch(self._wake, 1, self._on_wake)
        self.loop.run()
        self.relay.close()

    def _on_wake(self, events: int) -> None:
        if os.read(self._wake, 1) == b"r":
            self.relay.stop(self.drained.set)
        else:
            self.loop.stop()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.start()
    yield world
    world.stop()


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[World]:
    """Two connections at a time."""
    world = World(tmp_path, most=2)
    world.start()
    yield world
    world.stop()


def everything(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(1 << 16):
        data += piece
    return data


def test_bytes_go_both_ways_and_each_end_is_passed_on_by_itself(world: World) -> None:
    world.listen()
    client, program = world.pair()
    with client, program:
        client.sendall(b"request")
        client.shutdown(socket.SHUT_WR)
        assert everything(program) == b"request"
        program.sendall(b"response")
        program.shutdown(socket.SHUT_WR)
        assert everything(client) == b"response"


def test_a_slow_reader_slows_the_writer_down_and_loses_nothing(world: World) -> None:
    world.listen()
    client, program = world.pair()
    with client, program:
        program.setblocking(False)
        sent = 0
        while True:
            try:
                sent += program.send(b"x" * 65536)
            except BlockingIOError:
                # The relay may not have emptied it yet: it has when nothing more fits for a while.
                if not _writable(program):
                    break
        assert sent < 16 << 20
        program.close()
        assert len(everything(client)) == sent


def _writable(connection: socket.socket) -> bool:
    import select

    return bool(select.select([], [connection], [], 0.2)[1])


def test_a_client_that_leaves_ends_the_connection_to_the_program(world: World) -> None:
    world.listen()
    client, program = world.pair()
    with program:
        client.close()
        assert everything(program) == b""


def test_a_client_that_leaves_behind_its_request_ends_a_program_that_is_silent(world: World) -> None:
    world.listen()
    client, program = world.pair()
    with program:
        client.sendall(b"request")
        client.shutdown(socket.SHUT_WR)
        assert everything(program) == b"request"
        client.close()
        deadline = time.monotonic() + TIMEOUT
        while not world.slot.finished:
            assert time.monotonic() < deadline
            time.sleep(0.001)


def test_a_program_that_breaks_off_cuts_the_connection(world: World) -> None:
    world.listen()
    client, program = world.pair()
    with client:
        program.sendall(b"half a resp")
        program.close()
        assert everything(client) == b"half a resp"


def test_what_the_program_does_not_take_waits_in_the_groups_queue(world: World) -> None:
    waiting = world.connect()  # before the program listens
    waiting.sendall(b"early")
    world.listen()
    with waiting, world.accept() as program:
        assert program.recv(5) == b"early"


def test_a_program_with_a_full_queue_gets_no_more_than_it_takes(world: World) -> None:
    world.listen(backlog=0)  # one connection waits
    clients = [world.connect() for _ in range(5)]
    for number, client in enumerate(clients):
        client.sendall(b"%d" % number)
    seen = []
    for _ in clients:
        with world.accept() as program:
            seen.append(program.recv(1))
    assert sorted(seen) == [b"0", b"1", b"2", b"3", b"4"]
    for client in clients:
        client.close()


def test_one_that_retires_finishes_what_it_has_and_takes_no_more(world: World) -> None:
    world.listen()
    client, program = world.pair()
    world.retire()
    with client, program:
        client.sendall(b"still here")
        assert program.recv(10) == b"still here"
        assert not world.drained.is_set()
        late = world.connect()
    assert world.drained.wait(TIMEOUT)
    world.program.settimeout(0.05)
    with late, pytest.raises(TimeoutError):
        world.program.accept()
    assert (world.slot.running, world.slot.finished) == (0, 1)


def test_no_more_connections_are_accepted_than_the_program_may_have(limited: World) -> None:
    limited.listen()
    first, second = limited.pair(), limited.pair()
    waiting = limited.connect()
    limited.program.settimeout(0.05)
    with pytest.raises(TimeoutError):
        limited.program.accept()
    limited.program.settimeout(TIMEOUT)
    for one in first:
        one.close()
    with waiting, limited.accept() as program:
        program.sendall(b"now")
        assert waiting.recv(3) == b"now"
    for one in second:
        one.close()
