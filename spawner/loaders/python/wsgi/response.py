"""The response to one request: what the app gives to start_response and write() and in its iterable, as bytes.

docs/protocol.md, section 3. A framed response is complete when its end frame has been sent; everything else that ends
is a cut response. Head, first block and end go out in one send where they are known together.
"""

import array
import struct
from typing import Any, Callable, Optional

from ..core.loader_errors import ClientLeft, InvalidResponse
from ..core.unpatched import Connection, socket
from . import tolerated
from .chunked_decoder import ChunkedDecoder
from .response_head import ResponseHead, check_head

_DATA_HEAD = struct.Struct("!I")
_FILE_HEAD = struct.Struct("!IQQ")
_FILE_MARK = 0xFFFFFFFF
_FAILURE_HEAD = b"\xff\xff\xff\xfe"
_END = b"\0\0\0\0"
_KEPT_END = struct.Struct("!II")
_KEPT_MARK = 0xFFFFFFFD
_LONGEST_FRAME = 1 << 30
_LONGEST_COPY = 64 * 1024  # bytes; a longer block is sent by a call of its own instead of being copied behind its head


def kept_end(slot: int) -> bytes:
    """Return the end frame of a worker that takes another request on the connection. `slot`: its number."""
    return _KEPT_END.pack(_KEPT_MARK, slot)


class Response:
    """One response.

    Invariants: `_head` is None until start_response; nothing is sent before it; once `head_sent`, the head does not
    change. `_remaining` counts what Content-Length still lacks (None: no length is known). `_chunks` is there while the
    app chunks the body itself; then no length is known until its last chunk. `_ended` is set once the end frame has
    been sent, or a plain response finished; nothing is sent after it. `_is_amid` while a frame is being sent: what
    raises in between (a signal handler of the app) leaves half a frame.
    """

    __slots__ = (
        "_chunks",
        "_connection",
        "_end",
        "_ended",
        "_head",
        "_is_amid",
        "_is_head_request",
        "_remaining",
        "bodiless",
        "excess",
        "framed",
        "head_sent",
        "wants_out_of_band_work",
    )

    def __init__(self, connection: Connection, framed: bool, method: str, end: bytes = _END) -> None:
        """`framed`: whether the peer asked for frames; `method`: the request's; `end`: the end frame (`kept_end`)."""
        self.framed = framed
        self.head_sent = False
        self.bodiless = False  # whether no body belongs to this response, whatever the app gives; known with the head
        self.wants_out_of_band_work = False  # whether the head asks for out-of-band work
        self.excess = 0  # how many bytes the app gave beyond its Content-Length, or its last chunk
        self._connection = connection
        self._is_head_request = method == "HEAD"
        self._head: Optional[ResponseHead] = None
        self._remaining: Optional[int] = None
        self._chunks: Optional[ChunkedDecoder] = None
        self._end = end
        self._ended = False
        self._is_amid = False

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
        """PEP 3333's start_response. Raises InvalidResponse, and `exc_info` when the head has been sent already."""
        if exc_info:
            try:
                if self.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it refers to this frame
        elif self._head is not None:
            raise InvalidResponse("start_response was called twice")
        self.replace(status, headers)
        return self.write

    def replace(self, status: str, headers: Any) -> None:
        """Respond with this head, whatever the app has given. Before the head is sent. Raises InvalidResponse."""
        assert not self.head_sent  # nosec B101  # our own caller
        head = check_head(status, headers)
        self._head = head
        self.wants_out_of_band_work = head.wants_out_of_band_work
        self.bodiless = self._is_head_request or head.bodiless
        self._remaining = None if self.bodiless else head.length
        self._chunks = ChunkedDecoder() if head.chunked and not self.bodiless else None
        if self._chunks is not None and self.framed:
            head.ask_for_chunks()

    @property
    def keeps_connection(self) -> bool:
        """Whether the peer was told that the connection takes another request."""
        return self._ended and self._end is not _END

    @property
    def chunked_by_app(self) -> bool:
        """Whether the body comes in chunks that the app has made."""
        return self._chunks is not None

    def add_error_id(self, error_id: str) -> None:
        """Name the error to a peer that asked for frames. Between `replace` and the first byte."""
        if self.framed:
            self._started_head().add_error_id(error_id)

    def cut(self, error_id: str) -> None:
        """Tell a peer that asked for frames that the body ends here because of an error, whose id the log has."""
        if self.framed and self.head_sent and not self._ended and not self._is_amid:
            self._ended = True
            self._end = _END
            try:
                self._send(_FAILURE_HEAD + error_id.encode("ascii"))
            except ClientLeft:
                pass

    def write(self, data: bytes) -> None:
        """Send `data` at once, behind the head if that is still to be sent. Nothing is sent for no bytes.

        Raises InvalidResponse for a block that is longer than Content-Length allows, and ClientLeft.
        """
        if not isinstance(data, bytes):
            data = tolerated.body_block(data)
        if not data:
            return
        head = self._started_head()
        if self._chunks is not None:
            data = self._decode(self._chunks, data)
            if not data:
                return
            if self._chunks.ended:
                self._remaining = len(data)
        if self.bodiless:
            self._send_bodiless_head(None)
        elif self._fits(len(data)):
            self._send_block(b"" if self.head_sent else head.encode(), data)

    def write_all(self, body: bytes) -> None:
        """Send `body`, which is the whole body, with its Content-Length if the app gave none. Raises as `write`."""
        head = self._started_head()
        if not isinstance(body, bytes):
            body = tolerated.body_block(body)
        if self._chunks is not None and not self.head_sent:
            body = self._decode_all(self._chunks, body)
        if self.head_sent:
            self.write(body)
        elif self.bodiless:
            computed = head.length is None and body and not head.bodiless
            self._send_bodiless_head(len(body) if computed else None)
        elif head.length is None:
            self._remaining = 0
            self._send_block(head.encode(len(body)), body)
        elif head.length == len(body):
            self._remaining = 0
            self._send_block(head.encode(), body)
        else:
            self.write(body)

    def _decode(self, chunks: ChunkedDecoder, data: bytes) -> bytes:
        """Return the bytes of the body in a block of an app that chunks it itself. Raises InvalidResponse.

        A last chunk that comes alone ends the response at once, as one that comes with data does.
        """
        decoded, excess = chunks.decode(data)
        self.excess += excess
        if chunks.ended and not decoded and self.head_sent and not self._ended:
            self._send_rest()
        return decoded

    def _decode_all(self, chunks: ChunkedDecoder, body: bytes) -> bytes:
        """The same for the whole body: its length is known after this."""
        decoded = self._decode(chunks, body)
        self._check_end(chunks)
        self._chunks = None
        return decoded

    def _check_end(self, chunks: ChunkedDecoder) -> None:
        if not chunks.ended:
            raise InvalidResponse("the app chunks its body itself, and the last chunk is missing")

    def send_file(self, descriptor: int, offset: int, size: int) -> None:
        """Send the `size` bytes from `offset` of the regular file `descriptor`, or as many as Content-Length allows.

        Only for a framed response. Raises as `write`.
        """
        head = self._started_head()
        computed = size if head.length is None and not self.head_sent else None
        if self.bodiless:
            self._send_bodiless_head(None if head.bodiless else computed)
            return
        length = size if self._remaining is None else min(size, self._remaining)
        if not length:
            return
        if not self.head_sent:
            self._send(head.encode(computed))
            self.head_sent = True
        self._send_file_frame(descriptor, offset, length)
        if self._remaining is not None:
            self._remaining -= length

    def finish(self) -> None:
        """The app has given everything: send what is left. Raises InvalidResponse when the body is too short."""
        if self._ended:
            return
        self._send_rest()
        if not self.framed:
            self._end_plain()

    def _send_rest(self) -> None:
        head = self._started_head()
        if self.bodiless:
            self._send_bodiless_head(None)
            return
        if self._chunks is not None:
            self._check_end(self._chunks)
        if self._remaining:
            raise InvalidResponse("the body is {} bytes shorter than its Content-Length".format(self._remaining))
        data = b"" if self.head_sent else head.encode(0 if head.length is None else None)
        self.head_sent = True
        if self.framed:
            data += self._end
            self._ended = True
        if data:
            self._send(data)

    def _started_head(self) -> ResponseHead:
        """Return what start_response was given. Raises InvalidResponse when it was not called."""
        if self._head is None:
            raise InvalidResponse("start_response was not called before the body")
        return self._head

    def _fits(self, size: int) -> bool:
        """Count a block of `size` bytes against Content-Length; False: it is beyond, to be dropped."""
        remaining = self._remaining
        if remaining is None:
            return True
        if size <= remaining:
            self._remaining = remaining - size
            return True
        if remaining:
            raise InvalidResponse(
                "the body is at least {} bytes longer than its Content-Length".format(size - remaining)
            )
        self.excess += size
        return False

    def _send_block(self, head: bytes, data: bytes) -> None:
        """Send the head, if any, and a block, and the end if the body is known to be complete then."""
        end = b""
        self._is_amid = True
        if self.framed:
            if len(data) > _LONGEST_FRAME:
                data = self._send_all_but_last_frame(head, data)
                head = b""
            if data:
                head += _DATA_HEAD.pack(len(data))
            if self._remaining == 0:
                end = self._end
                self._ended = True
        self.head_sent = True
        if len(data) <= _LONGEST_COPY:
            self._send(head + data + end)
        else:
            if head:
                self._send(head)
            self._send(data)
            if end:
                self._send(end)
        self._is_amid = False

    def _send_all_but_last_frame(self, head: bytes, data: bytes) -> bytes:
        if head:
            self._send(head)
        self.head_sent = True
        rest = memoryview(data)
        while len(rest) > _LONGEST_FRAME:
            self._send(_DATA_HEAD.pack(_LONGEST_FRAME))
            self._send(rest[:_LONGEST_FRAME])
            rest = rest[_LONGEST_FRAME:]
        return bytes(rest)

    def _send_bodiless_head(self, computed_length: Optional[int]) -> None:
        assert self._head is not None  # nosec B101  # the callers have looked
        if self.head_sent:
            return
        self.head_sent = True
        self._ended = self.framed
        self._send(self._head.encode(computed_length) + (self._end if self.framed else b""))

    def _send_file_frame(self, descriptor: int, offset: int, length: int) -> None:
        frame = _FILE_HEAD.pack(_FILE_MARK, offset, length)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        self._is_amid = True
        try:
            sent = self._connection.sendmsg([frame], ancillary)
        except ConnectionError as error:
            raise ClientLeft("the client left") from error
        if sent < len(frame):
            self._send(frame[sent:])
        self._is_amid = False

    def _end_plain(self) -> None:
        """Tell a plain peer the end now: close() may take long, and a child of the app may hold the connection too."""
        self._ended = True
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise ClientLeft("the client left") from error

    def _send(self, data: Any) -> None:
        try:
            self._connection.sendall(data)
        except ConnectionError as error:
            raise ClientLeft("the client left") from error
