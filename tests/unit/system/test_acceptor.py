"""Accepting where descriptors run out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import time
from pathlib import Path
from typing import Iterator

from spawner.system import acceptor
from spawner.system.acceptor import Acceptor


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_without_descriptors_it_does_not_spin_and_goes_on_when_there_are_some(tmp_path: Path) -> None:
    async def test() -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        listener.setblocking(False)
        accepted: list[socket.socket] = []
        exhausted: list[OSError] = []
        subject = Acceptor(asyncio.get_running_loop(), listener, accepted.append, exhausted.append)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
            with no_descriptor_left():
                began = time.monotonic()
                await asyncio.sleep(0.3)
                assert 1 <= len(exhausted) <= 1 + (time.monotonic() - began) / acceptor._RETRY
                assert not accepted
            deadline = time.monotonic() + acceptor._RETRY + 10
            while not accepted and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            assert accepted
        accepted[0].close()
        subject.close()

    asyncio.run(test())


def test_of_a_crowd_so_many_are_accepted_in_one_turn_of_the_loop_and_the_rest_in_the_next(tmp_path: Path) -> None:
    async def test() -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "s"))
        listener.listen(100)
        listener.setblocking(False)
        accepted: list[socket.socket] = []
        clients = [socket.socket(socket.AF_UNIX) for _ in range(100)]
        for client in clients:
            client.connect(str(tmp_path / "s"))
        subject = Acceptor(asyncio.get_running_loop(), listener, accepted.append)
        subject._readable()
        assert len(accepted) == 64
        while len(accepted) < 100:
            await asyncio.sleep(0)
        subject.close()
        for sock in [*accepted, *clients]:
            sock.close()

    asyncio.run(test())
