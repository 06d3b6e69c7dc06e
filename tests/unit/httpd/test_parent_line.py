"""The start message of httpd's parent and its control line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Callable

import pytest

from spawner.errors import PeerError
from spawner.httpd.parent_line import ParentLine, ServerConfiguration, StartParameters
from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.system import packets


class Parent:
    """Both ends of a control line."""

    def __init__(self, folder: Path) -> None:
        ours, self.line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log_path = folder / "log"
        self.log = Log(LogWriter.open(str(self.log_path)))
        self.got: list[ServerConfiguration] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reader = ParentLine(
            asyncio.get_running_loop(), ours.detach(), self.log, self.got.append, lambda: self.ended.set_result(None)
        )

    def send(self, kind: str, *descriptors: int, **fields: object) -> None:
        packets.send(self.line, [("type", kind), *((name, str(value)) for name, value in fields.items())], descriptors)

    async def finish(self) -> None:
        """Close our end and wait until everything was read."""
        self.line.close()
        await asyncio.wait_for(self.ended, 10)
        self.log.close()


def with_parent(folder: Path, act: Callable[[Parent], None]) -> Parent:
    async def main() -> Parent:
        parent = Parent(folder)
        act(parent)
        await parent.finish()
        return parent

    return asyncio.run(main())


def test_a_configuration_is_handed_on_when_it_is_complete(tmp_path: Path) -> None:
    def act(parent: Parent) -> None:
        parent.send("begin", epoch=2, max_pool_size=9)
        read_end, write_end = os.pipe()
        parent.send("log", write_end, name="x")
        os.close(write_end)
        os.close(read_end)
        parent.send("prestart", url="http://x/")
        parent.send("vhosts", vhost_id="aa")
        parent.send("vhosts", vhost_id="bb")
        parent.send("commit", epoch=2)

    (got,) = with_parent(tmp_path, act).got
    assert (got.epoch, got.options.max_pool_size, got.prestart, list(got.logs)) == (2, 9, ["http://x/"], ["x"])
    assert got.vhost_ids == {"aa", "bb"}
    os.close(got.detach_logs()["x"])


def test_httpd_is_told_once_that_the_first_configuration_is_in_force(tmp_path: Path) -> None:
    async def received() -> list[str]:
        parent = Parent(tmp_path)
        parent.send("begin", epoch=1)
        parent.send("commit", epoch=1)
        parent.send("begin", epoch=2)
        parent.send("commit", epoch=2)
        while len(parent.got) < 2:
            await asyncio.sleep(0)
        first = packets.receive(parent.line)
        parent.line.setblocking(False)
        with pytest.raises(BlockingIOError):
            packets.receive(parent.line)
        await parent.finish()
        return [first.type] if first is not None else []

    assert asyncio.run(received()) == ["opened"]


def test_no_more_than_one_heartbeat_waits_to_be_read(tmp_path: Path) -> None:
    async def received() -> list[list[str]]:
        parent = Parent(tmp_path)
        parent.line.setblocking(False)
        read = []
        for _ in range(2):
            for _ in range(20):
                parent.reader.send_heartbeat()
            read.append(waiting(parent.line))
        await parent.finish()
        parent.reader.send_heartbeat()  # to nobody
        return read

    assert asyncio.run(received()) == [["beat"], ["beat"]]


def waiting(line: socket.socket) -> list[str]:
    """The types of the messages that are there."""
    types = []
    with contextlib.suppress(BlockingIOError):
        while True:
            packet = packets.receive(line)
            assert packet is not None
            types.append(packet.type)
    return types


def bad_order(parent: Parent) -> None:
    parent.send("commit", epoch=1)


def other_epoch(parent: Parent) -> None:
    parent.send("begin", epoch=1)
    parent.send("commit", epoch=2)


def bad_value(parent: Parent) -> None:
    parent.send("begin", epoch=1, max_pool_size="lots")
    parent.send("commit", epoch=1)


def log_without_descriptor(parent: Parent) -> None:
    parent.send("begin", epoch=1)
    parent.send("log", name="")
    parent.send("commit", epoch=1)


def unknown_type(parent: Parent) -> None:
    parent.send("begin", epoch=1)
    parent.send("dance", 0, 1)
    parent.send("commit", epoch=1)


def no_netstring(parent: Parent) -> None:
    parent.line.send(b"12:xyz")
    parent.send("commit", epoch=1)


@pytest.mark.parametrize("act", [bad_order, other_epoch, bad_value, log_without_descriptor, unknown_type, no_netstring])
def test_a_configuration_that_is_not_right_is_not_taken_over_but_logged(
    tmp_path: Path, act: Callable[[Parent], None]
) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    parent = with_parent(tmp_path, act)
    assert parent.got == []
    assert "[passenger:error]" in parent.log_path.read_text()
    assert len(os.listdir("/proc/self/fd")) == descriptors, "a descriptor was left open"


def test_a_good_configuration_after_a_bad_one_is_taken_over(tmp_path: Path) -> None:
    def act(parent: Parent) -> None:
        bad_value(parent)
        parent.send("begin", epoch=2)
        parent.send("commit", epoch=2)

    assert [got.epoch for got in with_parent(tmp_path, act).got] == [2]


def start_message(**changed: str) -> bytes:
    fields = dict.fromkeys(
        ["control_fd", "lifeline_fd", "store_fd", "store_fd_write", "httpd_pid", "apache_uid", "apache_gid"], "5"
    )
    return packets.encode({**fields, "instance_dir": "/run/x/httpd-5/", "token": "t", **changed}.items())


def test_the_start_message_is_read() -> None:
    found = StartParameters.decode(start_message(server_software="Apache"))
    assert (found.httpd_pid, found.instance_dir, found.server_software) == (5, "/run/x/httpd-5", "Apache")


@pytest.mark.parametrize("change", [{"control_fd": "x"}, {"httpd_pid": "-1"}, {"instance_dir": "run"}])
def test_a_start_message_that_is_not_right_is_an_error(change: dict[str, str]) -> None:
    with pytest.raises(PeerError):
        StartParameters.decode(start_message(**change))


def test_of_many_messages_so_many_are_handled_in_one_turn_and_all_of_them_in_the_end(tmp_path: Path) -> None:
    handled: list[int] = []

    def act(parent: Parent) -> None:
        parent.send("begin", epoch=3)
        for number in range(100):
            parent.send("vhosts", vhost_id="%d" % number)
        parent.send("commit", epoch=3)
        handle = parent.reader._handle
        parent.reader._handle = lambda packet: (handled.append(1), handle(packet))[1]  # type: ignore[method-assign]
        parent.reader._readable()
        handled.append(len(handled) * 1000)

    parent = with_parent(tmp_path, act)
    assert 64_000 in handled, "then the loop serves others"
    assert [len(one.vhost_ids) for one in parent.got] == [100]
