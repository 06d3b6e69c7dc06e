"""The length of a listening socket's queue, as the kernel tells it."""

from __future__ import annotations

import socket
from pathlib import Path

from spawner.processes.group_resources import queue_length


def test_it_is_the_number_of_connections_that_nobody_has_accepted(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(8)
        lengths = [queue_length(listener)]
        clients = []
        for _ in range(3):
            clients.append(socket.socket(socket.AF_UNIX))
            clients[-1].connect(str(tmp_path / "s"))
            lengths.append(queue_length(listener))
        listener.accept()[0].close()
        lengths.append(queue_length(listener))
        for client in clients:
            client.close()
    assert lengths == [0, 1, 2, 3, 2]


def test_what_is_no_unix_socket_has_none() -> None:
    with socket.socket(socket.AF_INET) as other:
        assert queue_length(other) is None
