"""The spawner's end of the line from httpd's parent: configurations and logs come in on it."""

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

_PAUSE = 1.0  # seconds until it is tried again to take a message for which there were no descriptors
_PACKETS_AT_ONCE = 64  # then others have their turn


@dataclass
class ServerConfiguration:
    """One configuration as httpd's parent sent it, from `begin` to `commit`."""

    epoch: int
    options: ServerOptions
    logs: dict[str, int] = field(default_factory=dict)  # name to descriptor; owned until taken
    vhost_ids: set[str] = field(default_factory=set)  # of its virtual hosts
    prestart: list[str] = field(default_factory=list)
    hooks: dict[str, str] = field(default_factory=dict)  # name to command

    def take_logs(self) -> dict[str, int]:
        """The logs' descriptors, which are the caller's from now on."""
        taken, self.logs = self.logs, {}
        return taken


class ParentLine:
    """Reads the control line (docs/protocol.md, section 4).

    :param committed: called with each complete configuration.
    :param ended: called once when the line ends.
    :param scarce: told that there was no descriptor for a log that came: the rest waits.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        descriptor: int,
        log: Log,
        committed: Callable[[ServerConfiguration], None],
        ended: Callable[[], None],
        scarce: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._loop = loop
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._log = log
        self._committed = committed
        self._ended = ended
        self._scarce = scarce
        self._pause: Optional[asyncio.TimerHandle] = None
        self._coming: "ServerConfiguration | None" = None
        self._opened = False
        loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Read it no longer."""
        if self._pause is not None:
            self._pause.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def beat(self) -> None:
        """Give a sign of life, unless httpd's parent has yet to hear the last one. By the loop, by no thread."""
        with contextlib.suppress(OSError):  # closed, or full
            if self._socket.fileno() >= 0 and not linux.has_unread(self._socket):
                packets.send(self._socket, [("type", "beat")])

    def _readable(self) -> None:
        for _ in range(_PACKETS_AT_ONCE):
            try:
                packet = packets.receive(self._socket, peek=True)
            except (BlockingIOError, InterruptedError):
                return
            except NoDescriptors:
                self._wait_for_descriptors()
                return
            except PeerError as error:
                self._log.error(3001, "httpd's control line: %s" % error)
                self._drop_first()
                continue
            except OSError:
                packet = None
            if packet is None:
                self.close()
                self._ended()
                return
            self._drop_first()
            self._handle(packet)

    def _drop_first(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.recv(1)

    def _wait_for_descriptors(self) -> None:
        """What was only peeked at stays in the line."""
        self._scarce(OSError(errno.EMFILE, "a log of httpd's could not be taken"))
        self._loop.remove_reader(self._socket)
        self._pause = self._loop.call_later(_PAUSE, self._loop.add_reader, self._socket, self._readable)

    def _handle(self, packet: Packet) -> None:
        try:
            self._take(packet)
        except PeerError as error:
            self._drop_coming()
            self._log.error(3002, "httpd's control line: %s; this configuration is not taken over" % error)
        finally:
            packet.close()

    def _take(self, packet: Packet) -> None:
        if packet.type == "begin":
            self._drop_coming()
            self._coming = ServerConfiguration(packet.number("epoch"), ServerOptions.from_wire(dict(packet.fields)))
            return
        coming = self._coming
        if coming is None:
            raise PeerError("message %r without a begin" % packet.type)
        if packet.type == "log":
            self._take_log(coming, packet)
        elif packet.type == "vhosts":
            coming.vhost_ids.update(packet.get_all("vhost_id"))
        elif packet.type == "prestart":
            coming.prestart.append(packet.get("url"))
        elif packet.type == "hook":
            coming.hooks[packet.get("name")] = packet.get("command")
        elif packet.type == "commit":
            self._commit(coming, packet)
        else:
            raise PeerError("message %r is not known" % packet.type)

    def _take_log(self, coming: ServerConfiguration, packet: Packet) -> None:
        if len(packet.descriptors) != 1:
            raise PeerError("log %r came with %d descriptors" % (packet.get("name"), len(packet.descriptors)))
        name = packet.get("name")
        if name in coming.logs:
            raise PeerError("log %r came twice" % name)
        coming.logs[name] = packet.take()[0]

    def _commit(self, coming: ServerConfiguration, packet: Packet) -> None:
        if packet.number("epoch") != coming.epoch:
            raise PeerError("commit of epoch %s after begin of epoch %d" % (packet.get("epoch"), coming.epoch))
        self._coming = None
        self._committed(coming)
        if not self._opened:
            self._opened = True
            self._say_opened()

    def _say_opened(self) -> None:
        """Tell httpd that this spawner has come up: the one after it need not wait, should this one end."""
        with contextlib.suppress(OSError):  # httpd ends, or has ended
            packets.send(self._socket, [("type", "opened")])

    def _drop_coming(self) -> None:
        if self._coming is not None:
            Packet([], list(self._coming.take_logs().values())).close()
        self._coming = None
