"""Registrations: httpd's children connect and say which app they have a request for."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import socket
import struct
from typing import Callable

from spawner.errors import InternalError, JumpseatError, PeerError
from spawner.httpd.registration_wire import registration_from
from spawner.logs.log import Log
from spawner.pool.registration import Registration
from spawner.processes.users import SystemUsers, described
from spawner.system import packets
from spawner.system.acceptor import Acceptor
from spawner.system.packets import Packet

_PEER_CREDENTIALS = struct.Struct("iII")
_PATIENCE = 10.0  # seconds that a child may be connected without having said what it wants
_MOST_SILENT = 512  # connections that have not said anything yet; the oldest is closed for one more


def peer_uid(sock: socket.socket) -> int:
    """The uid of whoever connected, by the kernel's word (SO_PEERCRED, unix(7))."""
    _, uid, _ = _PEER_CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size))
    return int(uid)


class Registrar:
    """Answers on `spawner.sock` (docs/protocol.md, section 4).

    :param listener: owned from now on.
    :param token: the instance's secret.
    :param register: makes or updates the group; gives its socket's path and its token; a JumpseatError refuses.
    :param scarce: see Acceptor.
    :param overflowed: told of a group and how many of its requests were answered 503, for its queue was full.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        apache_uid: int,
        token: str,
        log: Log,
        register: Callable[[Registration], tuple[str, str]],
        overflowed: Callable[[str, int], None],
        scarce: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._loop = loop
        self._allowed = {0, os.geteuid(), apache_uid}
        self._token = token
        self._log = log
        self._register = register
        self._overflowed = overflowed
        self._open: dict[socket.socket, asyncio.TimerHandle] = {}
        self._acceptor = Acceptor(loop, listener, self._accept, scarce)

    def replace_listener(self, listener: socket.socket) -> None:
        """Listen on another socket: the one before lost its path."""
        self._acceptor.replace_listener(listener)

    def close(self) -> None:
        """Answer nobody any more."""
        self._acceptor.close()
        for sock in list(self._open):
            self._drop(sock)

    def _accept(self, sock: socket.socket) -> None:
        if peer_uid(sock) not in self._allowed:
            self._log.warn(3003, "%s was refused at the registration socket" % described(peer_uid(sock), SystemUsers()))
            sock.close()
            return
        if len(self._open) >= _MOST_SILENT:
            self._drop(next(iter(self._open)))
        self._open[sock] = self._loop.call_later(_PATIENCE, self._drop, sock)
        self._loop.add_reader(sock, self._readable, sock)

    def _readable(self, sock: socket.socket) -> None:
        try:
            packet = packets.receive(sock)
        except (BlockingIOError, InterruptedError):
            return
        except PeerError as error:
            self._answer(sock, [("type", "refused"), ("reason", str(error))])
            return
        except OSError:
            packet = None
        if packet is not None:
            packet.descriptors, unwanted = [], Packet([], packet.descriptors)
            unwanted.close()
            answer = self._reply(packet)
            if answer:
                self._answer(sock, answer)
        self._drop(sock)

    def _reply(self, packet: Packet) -> list[tuple[str, str]]:
        """The answer to a message, nothing where it has none. A refusal costs one request, never the spawner."""
        try:
            if packet.type not in ("register", "queue_full"):
                raise PeerError("message %r instead of a registration" % packet.type)
            if not hmac.compare_digest(packet.get("token").encode(errors="surrogateescape"), self._token.encode()):
                raise PeerError("the registration has not this instance's token")
            if packet.type == "queue_full":
                self._overflowed(packet.get("group"), packet.number("count"))
                return []
            path, app_token = self._register(registration_from(packet.fields))
        except InternalError:
            raise
        except JumpseatError as error:
            self._log.error(3004, "registration of %s refused: %s" % (packet.get("group") or "an app", error))
            return [("type", "refused"), ("reason", str(error).splitlines()[0])]
        return [("type", "registered"), ("socket", path), ("app_token", app_token)]

    def _answer(self, sock: socket.socket, fields: list[tuple[str, str]]) -> None:
        with contextlib.suppress(OSError):  # the child has gone
            packets.send(sock, fields)
        self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        timer = self._open.pop(sock, None)
        if timer is not None:
            timer.cancel()
            self._loop.remove_reader(sock)
            sock.close()
