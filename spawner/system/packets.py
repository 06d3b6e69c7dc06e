"""Messages of names and values on SOCK_SEQPACKET sockets, with descriptors: one packet is one message."""

from __future__ import annotations

import array
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Iterable, Optional, Sequence

from spawner.errors import InternalError, PeerError
from spawner.shared import wire
from spawner.shared.constants import CONTROL_MESSAGE_LIMIT
from spawner.system.untrusted_socket import UntrustedSocket

MAX_DESCRIPTORS = 8
_SCM_CREDENTIALS = getattr(socket, "SCM_CREDENTIALS", 2)
_CREDENTIALS = struct.Struct("iII")
_ANCILLARY = socket.CMSG_SPACE(MAX_DESCRIPTORS * 4) + socket.CMSG_SPACE(_CREDENTIALS.size)


class NoDescriptors(PeerError):
    """A message came with descriptors, and this process has no free ones to receive them; a peek can be repeated."""


@dataclass
class Packet:
    """One received message. The receiver owns its descriptors.

    :ivar fields: names and values in the order sent; the first is `type`.
    :ivar pid: the sender's, as the kernel says; 0 without SO_PASSCRED.
    :ivar uid: the sender's, as the kernel says; -1 without SO_PASSCRED.
    """

    fields: list[tuple[str, str]]
    descriptors: list[int] = field(default_factory=list)
    pid: int = 0
    uid: int = -1

    @property
    def type(self) -> str:
        """The message's type; empty if it has none."""
        return self.fields[0][1] if self.fields and self.fields[0][0] == "type" else ""

    def get(self, name: str, default: str = "") -> str:
        """The first value of a name."""
        return next((value for key, value in self.fields if key == name), default)

    def get_all(self, name: str) -> list[str]:
        """Every value of a name, in order."""
        return [value for key, value in self.fields if key == name]

    def number(self, name: str) -> int:
        """A name's value as a number that is not negative.

        :raises PeerError: it is missing or no such number.
        """
        text = self.get(name)
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise PeerError("message %r: %s is %r, not a number" % (self.type, name, text))
        return int(text)

    def detach_descriptors(self) -> list[int]:
        """The descriptors, which the caller owns from now on."""
        descriptors, self.descriptors = self.descriptors, []
        return descriptors

    def close(self) -> None:
        """Close the descriptors that were not detached."""
        for descriptor in self.detach_descriptors():
            os.close(descriptor)


def send(sock: socket.socket, fields: Iterable[tuple[str, str]], descriptors: Sequence[int] = ()) -> None:
    """Send one message; the descriptors stay the caller's.

    :raises OSError: the socket's buffer is full (BlockingIOError), or the other end is closed.
    """
    ancillary = []
    if descriptors:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    sock.sendmsg([encode(fields)], ancillary, socket.MSG_NOSIGNAL)


def receive(sock: socket.socket, peek: bool = False) -> Optional[Packet]:
    """Receive one message, or None at the end of the line.

    :param peek: leave the message in the socket, as the next one to receive.
    :raises BlockingIOError: none is there yet.
    :raises NoDescriptors: this process has no free descriptors to receive the message's.
    :raises PeerError: it is malformed, too long or carries too many descriptors (which are closed).
    """
    wanted = socket.MSG_CMSG_CLOEXEC | (socket.MSG_PEEK if peek else 0)
    data, ancillary, flags, _ = sock.recvmsg(CONTROL_MESSAGE_LIMIT, _ANCILLARY, wanted)
    return _packet(data, ancillary, flags)


def peek_untrusted(sock: UntrustedSocket) -> Optional[Packet]:
    """The first message, which stays in the socket, or None at the end of the line.

    :raises BlockingIOError: none is there yet.
    :raises PeerError: it is malformed, too long or has descriptors.
    """
    return _packet(*_peek(sock))


def receive_untrusted(sock: UntrustedSocket) -> Optional[Packet]:
    """Receive the first message, or None at the end of the line. Raises as `peek_untrusted`."""
    message = _peek(sock)
    sock.recv(1)
    return _packet(*message)


def _peek(sock: UntrustedSocket) -> tuple[bytes, list[tuple[int, int, bytes]], int]:
    return sock.peek_message(CONTROL_MESSAGE_LIMIT, socket.CMSG_SPACE(_CREDENTIALS.size))


def _packet(data: bytes, ancillary: Sequence[tuple[int, int, bytes]], flags: int) -> Optional[Packet]:
    packet = _ancillary(ancillary)
    if not data:
        packet.close()
        return None
    try:
        if flags & socket.MSG_CTRUNC and len(packet.descriptors) < MAX_DESCRIPTORS:
            raise NoDescriptors("no file descriptors left to receive those of a message")
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise PeerError("message over %d bytes or %d descriptors" % (CONTROL_MESSAGE_LIMIT, MAX_DESCRIPTORS))
        packet.fields = decode(data)
    except PeerError:
        packet.close()
        raise
    return packet


def encode(fields: Iterable[tuple[str, str]]) -> bytes:
    """One netstring of NUL-terminated names and values.

    :raises InternalError: a name or value holds a NUL.
    """
    try:
        return wire.encode_text(fields)
    except wire.UnencodableField as error:
        raise InternalError(str(error)) from error


def decode(data: bytes) -> list[tuple[str, str]]:
    """Names and values of one netstring that fills `data`.

    :raises PeerError: it is malformed.
    """
    try:
        return wire.decode_text(data)
    except wire.WireError as error:
        raise PeerError(str(error)) from error


def _ancillary(messages: Sequence[tuple[int, int, bytes]]) -> Packet:
    packet = Packet([])
    for level, kind, data in messages:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            packet.descriptors.extend(numbers)
        elif kind == _SCM_CREDENTIALS:
            packet.pid, packet.uid, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
    return packet
