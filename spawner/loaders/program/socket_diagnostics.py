"""What the kernel says of a socket, of another process, too: its owner, the length of its queue (sock_diag(7))."""

import os
import socket
import struct
from typing import NamedTuple, Optional, Tuple

Peer = Optional[Tuple[bytes, int]]  # address and port of the other end; None: the socket listens

LOOPBACK = socket.inet_aton("127.0.0.1")
NOWHERE = bytes(4)

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_ANSWER_SIZE = 8192  # bytes
_TIMEOUT = 1.0  # seconds; the kernel answers before send(2) returns

# linux/inet_diag.h, struct inet_diag_req_v2: family, protocol, extensions, padding, states; then a socket's name
_TCP_REQUEST = struct.Struct("=BBBBI")
_PORTS = struct.Struct("!HH")
_NAME_END = struct.Struct("=III")
# struct inet_diag_msg: family, state, timer, retransmissions, the name of 48 bytes, expiry, the queues, uid, inode
_TCP_ANSWER = struct.Struct("=BBBB48xIIIII")

# linux/unix_diag.h, struct unix_diag_req: family, protocol, padding, states, inode, what to show, cookie
_UNIX_REQUEST = struct.Struct("=BBHIIIII")
_UNIX_MESSAGE_SIZE = 16
_SHOW_QUEUE = 0x10
_QUEUE = 4
_ATTRIBUTE = struct.Struct("=HH")
_LENGTHS = struct.Struct("=II")


class Owner(NamedTuple):
    """`uid`: whose a socket is; `inode`: 0 as long as no process has accepted it."""

    uid: int
    inode: int


def tcp_owner(family: int, port: int, peer: Peer) -> Optional[Owner]:
    """Return whose the socket on 127.0.0.1:`port` is that is connected to `peer`, or listens; None: the kernel does not
    say so. Raises OSError.
    """
    address, peer_port = peer if peer is not None else (NOWHERE, 0)
    request = _TCP_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + _PORTS.pack(port, peer_port)
    for one in (LOOPBACK, address):
        request += as_family(family, one).ljust(16, b"\0")
    answer = _ask(request + _NAME_END.pack(0, _NO_COOKIE, _NO_COOKIE))
    if answer is None:
        return None
    _, _, _, _, _, _, _, uid, inode = _TCP_ANSWER.unpack_from(answer)
    return Owner(uid, inode)


def backlog_of(descriptor: int) -> Optional[int]:
    """Return the backlog of a listening Unix socket, for whoever has to call listen(2) again and change nothing; None:
    the kernel does not say it.
    """
    lengths = _queue_of(os.fstat(descriptor).st_ino)
    return None if lengths is None else lengths[1]


def waiting_at(inode: int) -> Optional[int]:
    """Return how many connections wait at a listening Unix socket; None: the kernel does not say it."""
    lengths = _queue_of(inode)
    return None if lengths is None else lengths[0]


def _queue_of(number: int) -> Optional[Tuple[int, int]]:
    inode = number & 0xFFFFFFFF
    try:
        answer = _ask(_UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, _ANY_STATE, inode, _SHOW_QUEUE, _NO_COOKIE, _NO_COOKIE))
    except OSError:
        return None
    position = _UNIX_MESSAGE_SIZE
    while answer is not None and position + _ATTRIBUTE.size <= len(answer):
        length, attribute = _ATTRIBUTE.unpack_from(answer, position)
        if attribute == _QUEUE:
            waiting, backlog = _LENGTHS.unpack_from(answer, position + _ATTRIBUTE.size)
            return int(waiting), int(backlog)
        position += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return None


def as_family(family: int, address: bytes) -> bytes:
    """Return an address of IPv4 as sockets of a family name it."""
    if family == socket.AF_INET:
        return address
    return bytes(16) if address == NOWHERE else bytes(10) + b"\xff\xff" + address


def _ask(request: bytes) -> Optional[bytes]:
    """Return what the kernel says of one socket; None: there is none, or the kernel is built without."""
    header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(_TIMEOUT)
        netlink.send(header + request)
        answer = netlink.recv(_ANSWER_SIZE)
    return answer[_HEADER.size :] if _HEADER.unpack_from(answer)[1] == _SOCK_DIAG_BY_FAMILY else None
