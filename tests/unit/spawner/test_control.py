"""The control line from httpd's parent, and the registrations of its children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from spawner.errors import OperatorError, PeerError
from spawner.httpd.control import ParentLine, ServerConfiguration
from spawner.httpd.parameters import Parameters
from spawner.httpd.registrar import Registrar
from spawner.httpd.registration_wire import fields_of, registration_from
from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.options import AppOptions
from spawner.pool.registration import Registration
from spawner.system import packets

REGISTRATION = [
    ("group", "app"), ("app_root", "/srv/app"), ("app_type", "wsgi"), ("startup_file", "passenger_wsgi.py"),
    ("public_dir", "/srv/app/public"), ("base_uri", "/x"), ("server_name", "example"), ("error_log", "logs/x"),
    ("epoch", "3"), ("user", "alice"), ("group", "web"), ("min_instances", "2"), ("rolling_restarts", "0"),
    ("env:A", "1"), ("env:B", "x=y\n"),
]  # fmt: skip


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
    os.close(got.take_logs()["x"])


def test_httpd_is_told_once_that_the_first_configuration_is_in_force(tmp_path: Path) -> None:
    async def told() -> list[str]:
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

    assert asyncio.run(told()) == ["opened"]


def test_no_more_than_one_beat_waits_to_be_heard(tmp_path: Path) -> None:
    async def told() -> list[list[str]]:
        parent = Parent(tmp_path)
        parent.line.setblocking(False)
        heard = []
        for _ in range(2):
            for _ in range(20):
                parent.reader.beat()
            heard.append(waiting(parent.line))
        await parent.finish()
        parent.reader.beat()  # to nobody
        return heard

    assert asyncio.run(told()) == [["beat"], ["beat"]]


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


def test_a_registration_is_read_field_by_field() -> None:
    found = registration_from(REGISTRATION)
    assert (found.key, found.options.group, found.options.user) == ("app", "web", "alice")
    assert (found.options.min_instances, found.options.rolling_restarts) == (2, False)
    assert found.environment == {"A": "1", "B": "x=y\n"}


def test_names_that_no_environment_can_hold_are_left_out() -> None:
    found = registration_from([*REGISTRATION, ("env:", "x"), ("env:C=D", "x")])
    assert sorted(found.environment) == ["A", "B"]


def test_a_registration_survives_being_stored() -> None:
    found = registration_from(REGISTRATION)
    assert registration_from(fields_of(found)) == found


def test_every_option_survives_being_stored() -> None:
    for field in AppOptions.__dataclass_fields__.values():
        words = {"spawn_method": "direct", "concurrency_model": "thread"}
        value = {"bool": "1", "int": "7"}.get(str(field.type), words.get(field.name, "text"))
        found = registration_from([*REGISTRATION[:9], (field.name, value)])
        assert registration_from(fields_of(found)) == found
        assert str(int(v) if isinstance(v := getattr(found.options, field.name), bool) else v) == value


@pytest.mark.parametrize("name", ["group", "app_root", "startup_file", "epoch"])
def test_a_registration_without_what_it_must_have_is_refused(name: str) -> None:
    with pytest.raises(PeerError, match=name):
        registration_from([pair for pair in REGISTRATION if pair[0] != name])


def test_an_app_root_that_is_not_absolute_is_refused() -> None:
    with pytest.raises(PeerError, match="absolute"):
        registration_from([(n, "srv" if n == "app_root" else v) for n, v in REGISTRATION])


class Children:
    """A registrar and its socket."""

    def __init__(self, folder: Path, register: Callable[[Registration], tuple[str, str]], apache_uid: int) -> None:
        self.path = str(folder / "s")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.path)
        os.chmod(self.path, 0o666)
        listener.listen()
        listener.setblocking(False)
        self.log = Log(LogWriter.open(str(folder / "log")))
        self.overflows: list[tuple[str, int]] = []
        self.registrar = Registrar(
            asyncio.get_running_loop(), listener, apache_uid, "secret", self.log, register,
            lambda group, count: self.overflows.append((group, count)),
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


def ask(
    folder: Path, data: bytes, register: Callable[[Registration], tuple[str, str]] = lambda _: ("/s", "t")
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

    def register(registration: Registration) -> tuple[str, str]:
        seen.append(registration)
        return "/path", "word"

    assert ask(tmp_path, message(), register) == {"type": "registered", "socket": "/path", "app_token": "word"}
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
    def register(_: Registration) -> tuple[str, str]:
        raise OperatorError("no descriptors left\nmore")

    assert ask(tmp_path, message(), register) == {"type": "refused", "reason": "no descriptors left"}


@pytest.mark.parametrize(("token", "told"), [("secret", [("shop", 7)]), ("guess", [])])
def test_requests_that_found_the_queue_full_are_told_by_whoever_has_the_token(
    tmp_path: Path, token: str, told: list[tuple[str, int]]
) -> None:
    async def main() -> None:
        children = Children(tmp_path, lambda _: ("/s", "t"), os.getuid())
        fields = [("type", "queue_full"), ("token", token), ("group", "shop"), ("count", "7")]
        answer = await children.ask(packets.encode(fields))
        assert (answer is None) == bool(told)
        assert children.overflows == told
        children.registrar.close()
        children.log.close()

    asyncio.run(main())


if os.geteuid() == 0:

    def test_another_user_is_not_even_read(tmp_path: Path) -> None:
        async def main() -> None:
            children = Children(tmp_path, lambda _: ("/s", "t"), 12345)
            children.registrar._allowed = {12345}  # as if this process, root, were any tenant
            assert await children.ask(message()) is None
            children.registrar.close()
            children.log.close()

        asyncio.run(main())
        assert "user root (uid 0) was refused" in (tmp_path / "log").read_text()


def start_message(**changed: str) -> bytes:
    fields = dict.fromkeys(
        ["control_fd", "lifeline_fd", "store_fd", "store_fd_write", "httpd_pid", "apache_uid", "apache_gid"], "5"
    )
    return packets.encode({**fields, "instance_dir": "/run/x/httpd-5/", "token": "t", **changed}.items())


def test_the_start_message_is_read() -> None:
    found = Parameters.decode(start_message(server_software="Apache"))
    assert (found.httpd_pid, found.instance_dir, found.server_software) == (5, "/run/x/httpd-5", "Apache")


@pytest.mark.parametrize("change", [{"control_fd": "x"}, {"httpd_pid": "-1"}, {"instance_dir": "run"}])
def test_a_start_message_that_is_not_right_is_an_error(change: dict[str, str]) -> None:
    with pytest.raises(PeerError):
        Parameters.decode(start_message(**change))
