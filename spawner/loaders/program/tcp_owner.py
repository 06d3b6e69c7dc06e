"""Whose program is at the other end of a connection to 127.0.0.1, as the kernel says (sock_diag(7)).

Every user of the machine may listen on a port of it. A connection of ours must reach the app's own program.
"""

import os
import socket
import struct
from typing import NamedTuple, Optional, Tuple

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
# struct inet_diag_req_v2, linux/inet_diag.h: family, protocol, extensions, padding, states; then a socket's name
_REQUEST = struct.Struct("=BBBBI")
_PORTS = struct.Struct("!HH")
_ADDRESSES = struct.Struct("!4s12x4s12x")
_NAME_END = struct.Struct("=III")
# struct inet_diag_msg: family, state, timer, retransmissions, the name of 48 bytes, expiry, the queues, uid, inode
_ANSWER = struct.Struct("=BBBB48xIIIII")
_ANSWER_SIZE = 8192  # bytes; attributes follow
_TIMEOUT = 1.0  # seconds; the kernel answers before send(2) returns
_LOOPBACK = socket.inet_aton("127.0.0.1")
_NOWHERE = bytes(4)
_FAMILIES = (socket.AF_INET, socket.AF_INET6)  # a program that listens on [::] takes connections of 127.0.0.1, too


class Owner(NamedTuple):
    """`uid`: whose a socket is; `inode`: 0 as long as no process has accepted it."""

    uid: int
    inode: int


def is_connected_to(connection: socket.socket, uid: int) -> bool:
    """Whether a connection to 127.0.0.1 has been accepted, or is going to be, by a program that runs as `uid`.

    Before it is accepted, a connection has no owner. Then its listening socket counts: if that one were closed, the
    connection would be, too, and two users cannot listen on the same port.
    """
    own, port = connection.getsockname()[1], connection.getpeername()[1]
    if own == port:
        return False  # it is connected to itself: nobody listens
    with _netlink() as netlink:
        accepted = _look_up(netlink, port, (_LOOPBACK, own))
        if accepted is None:
            return False
        if accepted.inode:
            return accepted.uid == uid
        listening = _look_up(netlink, port, None)
        again = _look_up(netlink, port, (_LOOPBACK, own))
    if again is not None and again.inode:
        return again.uid == uid
    return again is not None and listening is not None and listening.uid == uid


def _netlink() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    netlink = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)  # type: ignore[attr-defined,unused-ignore]
    netlink.settimeout(_TIMEOUT)
    return netlink


def _look_up(netlink: socket.socket, port: int, peer: Optional[Tuple[bytes, int]]) -> Optional[Owner]:
    """Return whose the socket on 127.0.0.1:`port` is that is connected to `peer`; without one, that listens."""
    for family in _FAMILIES:
        owner = _ask(netlink, family, port, peer)
        if owner is not None:
            return owner
    return look_up_in_tables(port, peer)  # the kernel may be built without the other way


def _ask(netlink: socket.socket, family: int, port: int, peer: Optional[Tuple[bytes, int]]) -> Optional[Owner]:
    address, peer_port = peer if peer is not None else (_NOWHERE, 0)
    name = _PORTS.pack(port, peer_port) + _addresses(family, _LOOPBACK, address)
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + name
    request += _NAME_END.pack(0, _NO_COOKIE, _NO_COOKIE)
    header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, os.getpid())
    netlink.send(header + request)
    answer = netlink.recv(_ANSWER_SIZE)
    if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        return None  # an error: there is no such socket
    _, _, _, _, _, _, _, uid, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    return Owner(uid, inode)


def look_up_in_tables(port: int, peer: Optional[Tuple[bytes, int]]) -> Optional[Owner]:
    """As the kernel's answer, from /proc/net: slow where there are many connections."""
    for family, table in zip(_FAMILIES, ("/proc/net/tcp", "/proc/net/tcp6")):
        own = {_in_table(family, address, port) for address in (_LOOPBACK, _NOWHERE)}
        other = _in_table(family, *(peer if peer is not None else (_NOWHERE, 0)))
        try:
            with open(table) as lines:
                for line in lines:
                    fields = line.split()
                    if fields[1] in own and fields[2] == other:
                        return Owner(int(fields[7]), int(fields[9]))
        except OSError:
            pass  # without IPv6
    return None


def _in_table(family: int, address: bytes, port: int) -> str:
    """An address and a port as the tables have them: words of 32 bits in the order of the machine."""
    whole = address if family == socket.AF_INET else _mapped(address)
    return "%s:%04X" % ("".join("%08X" % word for word in struct.unpack("=%dI" % (len(whole) // 4), whole)), port)


def _addresses(family: int, own: bytes, peer: bytes) -> bytes:
    if family == socket.AF_INET:
        return _ADDRESSES.pack(own, peer)
    return _mapped(own) + _mapped(peer)


def _mapped(address: bytes) -> bytes:
    """The address as IPv6 sockets name it."""
    return bytes(16) if address == _NOWHERE else bytes(10) + b"\xff\xff" + address
