"""Whose program is at the other end of a connection to a port of this machine."""

from __future__ import annotations

import os
import select
import socket
from contextlib import contextmanager
from typing import Iterator

import pytest

from spawner.loaders.program import tcp_owner
from spawner.loaders.program.addresses import NotListening, Port, is_connected
from spawner.loaders.program.socket_diagnostics import LOOPBACK, Owner

OTHER = 65534
ADDRESSES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")


@contextmanager
def listening(family: int = socket.AF_INET, address: str = "127.0.0.1", port: int = 0) -> Iterator[socket.socket]:
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(1)
        yield listener


@contextmanager
def as_other_user() -> Iterator[None]:
    """Sockets that are made or accepted within the block are another user's."""
    os.seteuid(OTHER)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("family", "address"), ADDRESSES)
def test_a_connection_is_its_users_before_and_after_it_is_accepted(family: int, address: str) -> None:
    with listening(family, address) as listener:
        with socket.create_connection(("127.0.0.1", listener.getsockname()[1])) as connection:
            assert tcp_owner.is_connected_to(connection, os.geteuid())
            assert not tcp_owner.is_connected_to(connection, os.geteuid() + 1)
            accepted, _ = listener.accept()
            with accepted:
                assert tcp_owner.is_connected_to(connection, os.geteuid())
                assert not tcp_owner.is_connected_to(connection, os.geteuid() + 1)


@pytest.mark.parametrize(("family", "address"), ADDRESSES)
def test_the_tables_of_the_kernel_say_the_same(family: int, address: str) -> None:
    with listening(family, address) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as connection, listener.accept()[0]:
            peer = (LOOPBACK, connection.getsockname()[1])
            owners = [tcp_owner.look_up_in_tables(port, one) for one in (peer, None)]
            assert owners == [tcp_owner.look_up(port, one) for one in (peer, None)]
            assert isinstance(owners[0], Owner)
            assert owners[0].uid == os.geteuid()


def accepts(port: Port) -> bool:
    """Whether somebody accepts connections there."""
    try:
        with port.connect() as connection:
            while not is_connected(connection):
                select.select([], [connection], [], 1)
    except NotListening:
        return False
    return True


@needs_root
@pytest.mark.parametrize("accepts", [False, True])
def test_another_user_who_has_taken_the_port_is_found_out(accepts: bool) -> None:
    """Also while root's own program cannot know it: the port was held, and let go for the program to take."""
    port = Port()
    with as_other_user():
        other = listening(port=port.number)
        listener = other.__enter__()
    connection = port.connect()
    assert is_connected(connection)
    if accepts:
        with as_other_user():
            accepted, _ = listener.accept()
        assert not port.is_ours(connection)
        accepted.close()
    else:
        assert not port.is_ours(connection)
    connection.close()
    other.__exit__(None, None, None)
    port.close()


def test_a_held_port_is_nobodys_by_chance_and_free_for_one_that_says_so() -> None:
    port = Port()
    try:
        with socket.socket() as careless, pytest.raises(OSError, match="in use"):
            careless.bind(("127.0.0.1", port.number))
        assert not accepts(port)
        with listening(port=port.number):
            connection = port.connect()
            assert is_connected(connection)
            assert port.is_ours(connection)
            connection.close()
    finally:
        port.close()


def test_a_port_that_is_not_held_is_free_for_every_program() -> None:
    port = Port(held=False)
    with socket.socket() as careless:
        careless.bind(("127.0.0.1", port.number))
