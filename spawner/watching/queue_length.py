"""How many connections wait at a listening Unix socket: the kernel tells through sock_diag(7)."""

from __future__ import annotations

import os
import socket
import struct
from typing import Optional

_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_SHOW_RQLEN = 0x10  # UDIAG_SHOW_RQLEN (linux/unix_diag.h)
_ATTRIBUTE_RQLEN = 4  # UNIX_DIAG_RQLEN
_NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBHIIIII")
_ANSWER_SIZE = 16  # of struct unix_diag_msg
_ATTRIBUTE = struct.Struct("=HH")
_LENGTHS = struct.Struct("=II")
_PATIENCE = 0.1  # seconds; the kernel answers before send(2) returns


def queue_length(listener: socket.socket) -> Optional[int]:
    """The connections that nobody has accepted yet; None where the kernel has no diagnostics of Unix sockets.

    :param listener: a listening Unix socket.
    """
    question = _QUESTION.pack(
        socket.AF_UNIX, 0, 0, _ANY_STATE, os.fstat(listener.fileno()).st_ino & 0xFFFFFFFF, _SHOW_RQLEN,
        _NO_COOKIE, _NO_COOKIE,
    )  # fmt: skip
    header = _HEADER.pack(_HEADER.size + len(question), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 4) as line:  # NETLINK_SOCK_DIAG
            line.settimeout(_PATIENCE)
            line.send(header + question)
            return _read(line.recv(4096))
    except OSError:
        return None


def _read(answer: bytes) -> Optional[int]:
    """The length in an answer; None where it is an error."""
    size, kind, _, _, _ = _HEADER.unpack_from(answer)
    position = _HEADER.size + _ANSWER_SIZE
    while kind == _SOCK_DIAG_BY_FAMILY and position + _ATTRIBUTE.size <= min(size, len(answer)):
        length, name = _ATTRIBUTE.unpack_from(answer, position)
        if name == _ATTRIBUTE_RQLEN:
            return int(_LENGTHS.unpack_from(answer, position + _ATTRIBUTE.size)[0])
        position += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return None
