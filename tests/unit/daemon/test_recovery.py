"""What the next spawner finds out from a control line whose spawner was killed."""

from __future__ import annotations

import socket
from typing import Iterator

import pytest

from spawner.daemon.recovery import waits_for_load
from spawner.system import packets

Line = tuple[socket.socket, socket.socket]


@pytest.fixture
def line() -> Iterator[Line]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_hello_that_was_not_answered_is_answered_by_the_next_spawner(line: Line) -> None:
    packets.send(line[1], [("type", "hello")])
    assert waits_for_load(line[0])


def test_a_hello_that_was_answered_is_not_answered_again(line: Line) -> None:
    packets.send(line[1], [("type", "hello")])
    packets.send(line[0], [("type", "load")])
    assert not waits_for_load(line[0])


def test_a_process_that_loads_and_is_silent_waits_for_nothing(line: Line) -> None:
    packets.send(line[0], [("type", "load")])
    assert not waits_for_load(line[0])
