"""How long the queue of a listening socket may be, as the kernel says (sock_diag(7))."""

import os
import socket
import struct

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_SHOW_QUEUE = 0x10
_QUEUE = 4
_NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBHIIIII")
_MESSAGE_SIZE = 16  # of struct unix_diag_msg
_ATTRIBUTE = struct.Struct("=HH")
_LENGTHS = struct.Struct("=II")
_TIMEOUT = 1.0  # seconds
_UNKNOWN = 511  # what Node.js asks for


def backlog_of(descriptor: int) -> int:
    """Return the backlog of a listening Unix socket, for whoever has to call listen(2) again and change nothing."""
    inode = os.fstat(descriptor).st_ino & 0xFFFFFFFF
    request = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ANY_STATE, inode, _SHOW_QUEUE, _NO_COOKIE, _NO_COOKIE)
    header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    try:
        with socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG) as netlink:  # type: ignore[attr-defined,unused-ignore]
            netlink.settimeout(_TIMEOUT)
            netlink.send(header + request)
            return _backlog_in(netlink.recv(4096))
    except OSError:
        return _UNKNOWN


def _backlog_in(answer: bytes) -> int:
    position = _HEADER.size + _MESSAGE_SIZE
    while position + _ATTRIBUTE.size <= len(answer):
        length, attribute = _ATTRIBUTE.unpack_from(answer, position)
        if attribute == _QUEUE:
            return int(_LENGTHS.unpack_from(answer, position + _ATTRIBUTE.size)[1])
        position += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return _UNKNOWN
