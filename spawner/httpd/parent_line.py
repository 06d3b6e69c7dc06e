"""What httpd's parent says to the spawner: the parameters of its start, then configurations and logs on a control line.

docs/protocol.md, section 4.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from dataclasses import dataclass, field
from typing import Callable, Optional

from spawner.errors import PeerError
from spawner.logs.log import Log
from spawner.options import ServerOptions
from spawner.system import linux, packets
from spawner.system.packets import NoDescriptors, Packet

_RETRY = 1.0  # seconds until a message is read again for which there were no descriptors
_MOST_PER_CALL = 64  # messages; then the loop serves others


@dataclass(frozen=True)
class StartParameters:
    """The start message. The spawner owns its descriptors.

    :ivar control_fd: of the control line.
    :ivar lifeline_fd: of the pipe that ends when httpd has ended.
    :ivar store_fd: of the descriptor store, to read from; `store_fd_write`: to write to.
    :ivar instance_dir: path of the instance folder, absolute.
    :ivar token: the instance's secret.
    :ivar spawner_config: path of spawner.conf, or empty.
    """

    control_fd: int
    lifeline_fd: int
    store_fd: int
    store_fd_write: int
    httpd_pid: int
    apache_uid: int
    apache_gid: int
    server_root: str
    server_software: str
    instance_dir: str
    token: str
    spawner_config: str

    @classmethod
    def decode(cls, data: bytes) -> "StartParameters":
        """Read the message.

        :param data: one netstring.
        :raises PeerError: it is malformed, or a number or the folder is missing.
        """
        packet = Packet([("type", "start"), *packets.decode(data)])
        return cls(
            control_fd=packet.number("control_fd"),
            lifeline_fd=packet.number("lifeline_fd"),
            store_fd=packet.number("store_fd"),
            store_fd_write=packet.number("store_fd_write"),
            httpd_pid=packet.number("httpd_pid"),
            apache_uid=packet.number("apache_uid"),
            apache_gid=packet.number("apache_gid"),
            server_root=packet.get("server_root"),
            server_software=packet.get("server_software"),
            instance_dir=_absolute(packet.get("instance_dir")),
            token=packet.get("token"),
            spawner_config=packet.get("spawner_config"),
        )


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise PeerError("instance_dir is %r, which is not absolute" % path)
    return path.rstrip("/")


@dataclass
class ServerConfiguration:
    """One configuration as httpd's parent sends it, from `begin` to `commit`.

    :ivar logs: the descriptors of the error logs by name, owned until detached; the main log's name is empty.
    :ivar vhost_ids: of its virtual hosts.
    :ivar prestart: the URLs of PassengerPreStart.
    :ivar hooks: commands by the hook's name.
    """

    epoch: int
    options: ServerOptions
    logs: dict[str, int] = field(default_factory=dict)
    vhost_ids: set[str] = field(default_factory=set)
    prestart: list[str] = field(default_factory=list)
    hooks: dict[str, str] = field(default_factory=dict)

    def detach_logs(self) -> dict[str, int]:
        """The logs' descriptors, which the caller owns from now on."""
        logs, self.logs = self.logs, {}
        return logs


class ParentLine:
    """The spawner's end of the control line.

    :param descriptor: owned from now on.
    :param on_configuration: called with each complete configuration.
    :param on_end: called once when the line ends.
    :param on_exhausted: called when there was no descriptor for a log that came; the message waits.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        descriptor: int,
        log: Log,
        on_configuration: Callable[[ServerConfiguration], None],
        on_end: Callable[[], None],
        on_exhausted: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._loop = loop
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._log = log
        self._on_configuration = on_configuration
        self._on_end = on_end
        self._on_exhausted = on_exhausted
        self._retry: Optional[asyncio.TimerHandle] = None
        self._incomplete: "ServerConfiguration | None" = None
        self._opened = False
        loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Close the line."""
        if self._retry is not None:
            self._retry.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def send_heartbeat(self) -> None:
        """Tell httpd's parent that the loop runs, unless it has not read the last heartbeat yet."""
        with contextlib.suppress(OSError):  # closed, or full
            if self._socket.fileno() >= 0 and not linux.has_unread_output(self._socket):
                packets.send(self._socket, [("type", "beat")])

    def _readable(self) -> None:
        for _ in range(_MOST_PER_CALL):
            try:
                packet = packets.receive(self._socket, peek=True)
            except (BlockingIOError, InterruptedError):
                return
            except NoDescriptors:
                self._wait_for_descriptors()
                return
            except PeerError as error:
                self._log.error(3001, "a message on httpd's control line cannot be read: %s" % error)
                self._remove_first()
                continue
            except OSError:
                packet = None
            if packet is None:
                self.close()
                self._on_end()
                return
            self._remove_first()
            self._handle(packet)

    def _remove_first(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.recv(1)

    def _wait_for_descriptors(self) -> None:
        """The message was only peeked at: it stays in the line."""
        self._on_exhausted(OSError(errno.EMFILE, "no descriptor for a log of httpd"))
        self._loop.remove_reader(self._socket)
        self._retry = self._loop.call_later(_RETRY, self._loop.add_reader, self._socket, self._readable)

    def _handle(self, packet: Packet) -> None:
        try:
            self._apply(packet)
        except PeerError as error:
            self._discard_incomplete()
            text = "the configuration that httpd has sent is not used, the one before stays in force: %s"
            self._log.error(3002, text % error)
        finally:
            packet.close()

    def _apply(self, packet: Packet) -> None:
        if packet.type == "begin":
            self._discard_incomplete()
            options = ServerOptions.from_wire(dict(packet.fields))
            self._incomplete = ServerConfiguration(packet.number("epoch"), options)
            return
        configuration = self._incomplete
        if configuration is None:
            raise PeerError("message %r without a begin" % packet.type)
        if packet.type == "log":
            self._add_log(configuration, packet)
        elif packet.type == "vhosts":
            configuration.vhost_ids.update(packet.get_all("vhost_id"))
        elif packet.type == "prestart":
            configuration.prestart.append(packet.get("url"))
        elif packet.type == "hook":
            configuration.hooks[packet.get("name")] = packet.get("command")
        elif packet.type == "commit":
            self._commit(configuration, packet)
        else:
            raise PeerError("message %r is not known" % packet.type)

    def _add_log(self, configuration: ServerConfiguration, packet: Packet) -> None:
        name = packet.get("name")
        if len(packet.descriptors) != 1:
            raise PeerError("log %r came with %d descriptors" % (name, len(packet.descriptors)))
        if name in configuration.logs:
            raise PeerError("log %r came twice" % name)
        configuration.logs[name] = packet.detach_descriptors()[0]

    def _commit(self, configuration: ServerConfiguration, packet: Packet) -> None:
        if packet.number("epoch") != configuration.epoch:
            raise PeerError("commit of epoch %s after begin of epoch %d" % (packet.get("epoch"), configuration.epoch))
        self._incomplete = None
        self._on_configuration(configuration)
        if not self._opened:
            self._opened = True
            self._send_opened()

    def _send_opened(self) -> None:
        """Tell httpd that this spawner has started: should it end, httpd starts the next one without a delay."""
        with contextlib.suppress(OSError):  # httpd ends, or has ended
            packets.send(self._socket, [("type", "opened")])

    def _discard_incomplete(self) -> None:
        if self._incomplete is not None:
            Packet([], list(self._incomplete.detach_logs().values())).close()
        self._incomplete = None
