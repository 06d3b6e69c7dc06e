"""`wsgi.input` over each way a body comes (docs/protocol.md, section 2).

Every one of them ends where the body ends: a read past it gives b"" and never waits. When the client leaves before
the end, reading raises ClientLeft, so that a cut body is never taken for a whole one.
"""

import errno
import io
import stat
import struct
from typing import Any, BinaryIO

from ....shared.constants import FRAME_DATA_LIMIT
from ..core.loader_errors import BadRequest, ClientLeft
from ..core.unpatched import Connection, os

_BUFFER_SIZE = 64 * 1024
_FRAME_HEAD = struct.Struct("!I")


def inline(connection: Connection, received: bytes, length: int) -> BinaryIO:
    """Return the body of `length` bytes of which `received` are here and the rest comes on `connection`."""
    if len(received) >= length:
        return io.BytesIO(received[:length])
    return io.BufferedReader(_InlineBody(connection, received, length), _BUFFER_SIZE)


def framed(connection: Connection, received: bytes) -> BinaryIO:
    """Return the body that comes as frames on `connection`, of which the bytes `received` are here."""
    return io.BufferedReader(_FramedBody(connection, received), _BUFFER_SIZE)


def spooled(descriptor: int, length: int) -> BinaryIO:
    """Return the body in the file `descriptor`, which is owned from now on.

    Raises BadRequest when it is no regular file of `length` bytes.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size != length:
        os.close(descriptor)
        raise BadRequest("the passed body is not a regular file of {} bytes".format(length))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.fdopen(descriptor, "rb", _BUFFER_SIZE)


def is_complete(body: BinaryIO) -> bool:
    """Whether all of a body is here, so that nothing of it comes on the connection any more."""
    return not isinstance(body, io.BufferedReader) or not isinstance(body.raw, _ConnectionBody)


class _ConnectionBody(io.RawIOBase):
    """Bytes that have been received already, then those of the connection. Closing it leaves the connection open."""

    def __init__(self, connection: Connection, received: bytes) -> None:
        super().__init__()
        self._connection = connection
        self._received = received

    def readable(self) -> bool:
        return True

    def _receive_into(self, buffer: memoryview) -> int:
        """Fill some of `buffer`, which is not empty. Raises ClientLeft at the end of the connection."""
        if self._received:
            count = min(len(buffer), len(self._received))
            buffer[:count] = self._received[:count]
            self._received = self._received[count:]
            return count
        try:
            count = self._connection.recv_into(buffer)
        except ConnectionError as error:
            raise ClientLeft("the client left while its request body was read") from error
        if count == 0:
            raise ClientLeft("the client left before the end of its request body")
        return count


class _InlineBody(_ConnectionBody):
    """A body of known length. Invariant: `_remaining` bytes of it have not been given out."""

    def __init__(self, connection: Connection, received: bytes, length: int) -> None:
        super().__init__(connection, received)
        self._remaining = length

    def readinto(self, buffer: Any) -> int:
        if not self._remaining or not len(buffer):
            return 0
        count = self._receive_into(memoryview(buffer)[: self._remaining])
        self._remaining -= count
        return count


class _FramedBody(_ConnectionBody):
    """A body in frames. Invariant: `_remaining` bytes of the current data frame have not been given out."""

    def __init__(self, connection: Connection, received: bytes) -> None:
        super().__init__(connection, received)
        self._remaining = 0
        self._ended = False

    def readinto(self, buffer: Any) -> int:
        if not len(buffer):
            return 0
        if not self._remaining and not self._ended:
            self._next_frame()
        if self._ended:
            return 0
        count = self._receive_into(memoryview(buffer)[: self._remaining])
        self._remaining -= count
        return count

    def _next_frame(self) -> None:
        head = memoryview(bytearray(_FRAME_HEAD.size))
        filled = 0
        while filled < len(head):
            filled += self._receive_into(head[filled:])
        (self._remaining,) = _FRAME_HEAD.unpack(head)
        self._ended = not self._remaining
        if self._remaining > FRAME_DATA_LIMIT:
            raise OSError(errno.EPROTO, "a frame of the request body is not a data frame")
