"""The registration socket: httpd's children connect and say which app they have a request for."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import socket
from dataclasses import dataclass
from typing import AbstractSet, Callable, Sequence

from spawner.errors import InternalError, JumpseatError, PeerError
from spawner.httpd.register_message import registration_from
from spawner.logs.log import Log
from spawner.pool.registration import Registration
from spawner.processes.users import SystemUsers, user_label
from spawner.system import packets
from spawner.system.acceptor import Acceptor
from spawner.system.linux import peer_uid
from spawner.system.packets import Packet
from spawner.system.untrusted_socket import UntrustedSocket


@dataclass(frozen=True)
class GroupAddress:
    """What a child of httpd has to know of a group.

    :ivar app_token: the secret that the group's workers ask for.
    :ivar capabilities: what the child may use of its loader (docs/protocol.md, section 4).
    :ivar scoreboard: descriptor of the group's scoreboard, which stays the group's.
    """

    socket_path: str
    app_token: str
    capabilities: AbstractSet[str]
    scoreboard: int


_TIMEOUT = 10.0  # seconds for a child that has connected to send its message
_MOST_SILENT = 512  # connections that have not sent anything; the oldest is closed for one more


class Registrar:
    """Answers on `spawner.sock` (docs/protocol.md, section 4).

    :param listener: owned from now on.
    :param apache_uid: only this user, root and the spawner's own may connect.
    :param token: the instance's secret.
    :param register: makes or updates the group; a JumpseatError refuses.
    :param on_queue_full: called with a group and how many of its requests httpd has answered 503.
    :param on_exhausted: see Acceptor.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        apache_uid: int,
        token: str,
        log: Log,
        register: Callable[[Registration], GroupAddress],
        on_queue_full: Callable[[str, int], None],
        on_exhausted: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._loop = loop
        self._allowed = {0, os.geteuid(), apache_uid}
        self._token = token
        self._log = log
        self._register = register
        self._on_queue_full = on_queue_full
        self._open: dict[socket.socket, asyncio.TimerHandle] = {}
        self._acceptor = Acceptor(loop, listener, self._accept, on_exhausted)

    def replace_listener(self, listener: socket.socket) -> None:
        """Listen on another socket instead: the path of the one before was removed."""
        self._acceptor.replace_listener(listener)

    def close(self) -> None:
        """Close the socket and every connection."""
        self._acceptor.close()
        for sock in list(self._open):
            self._close(sock)

    def _accept(self, accepted: socket.socket) -> None:
        sock = UntrustedSocket(accepted)
        uid = peer_uid(sock)
        if uid not in self._allowed:
            user = user_label(uid, SystemUsers())
            self._log.warn(3003, "a connection to the registration socket was refused: %s" % user)
            sock.close()
            return
        if len(self._open) >= _MOST_SILENT:
            self._close(next(iter(self._open)))
        self._open[sock] = self._loop.call_later(_TIMEOUT, self._close, sock)
        self._loop.add_reader(sock, self._readable, sock)

    def _readable(self, sock: UntrustedSocket) -> None:
        try:
            packet = packets.receive_untrusted(sock)
        except (BlockingIOError, InterruptedError):
            return
        except PeerError as error:
            self._answer(sock, [("type", "refused"), ("reason", str(error))])
            return
        except OSError:
            packet = None
        if packet is not None:
            fields, descriptors = self._handle(packet)
            if fields:
                self._answer(sock, fields, descriptors)
        self._close(sock)

    def _handle(self, packet: Packet) -> tuple[list[tuple[str, str]], tuple[int, ...]]:
        """The answer to a message, and the descriptors that go with it; empty if it has none.

        A refusal fails one request, never the spawner.
        """
        try:
            if packet.type not in ("register", "queue_full"):
                raise PeerError("message %r instead of a registration" % packet.type)
            if not hmac.compare_digest(packet.get("token").encode(errors="surrogateescape"), self._token.encode()):
                raise PeerError("the registration has not this instance's token")
            if packet.type == "queue_full":
                self._on_queue_full(packet.get("group"), packet.number("count"))
                return [], ()
            address = self._register(registration_from(packet.fields))
        except InternalError:
            raise
        except JumpseatError as error:
            self._log.error(3004, "registration of %s refused: %s" % (packet.get("group") or "an app", error))
            return [("type", "refused"), ("reason", str(error).splitlines()[0])], ()
        fields = [
            ("type", "registered"),
            ("socket", address.socket_path),
            ("app_token", address.app_token),
            ("capabilities", " ".join(sorted(address.capabilities))),
        ]
        return fields, (address.scoreboard,)

    def _answer(self, sock: socket.socket, fields: list[tuple[str, str]], descriptors: Sequence[int] = ()) -> None:
        with contextlib.suppress(OSError):  # the child has gone
            packets.send(sock, fields, descriptors)
        self._close(sock)

    def _close(self, sock: socket.socket) -> None:
        timer = self._open.pop(sock, None)
        if timer is not None:
            timer.cancel()
            self._loop.remove_reader(sock)
            sock.close()
