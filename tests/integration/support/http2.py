"""One HTTP/2 connection (RFC 9113), frame by frame: what is read, and when, is the test's matter."""

from __future__ import annotations

import socket
import struct
from typing import Callable, Iterable, NamedTuple

from support.certificates import trusting
from support.hpack import Fields, encoded, status_of

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACKNOWLEDGE = 1, 4, 1
REFUSED_STREAM, CANCEL = 7, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTING_TABLE_SIZE, SETTING_PUSH, SETTING_WINDOW = 1, 2, 4
#: Bytes that a peer may send before it is given more: what it is without a word, and as much as no test sends.
SMALL_WINDOW, LARGE_WINDOW = 65535, 0x7FFF0000
LARGEST_FRAME = 16384


class StreamEnded(Exception):
    """The server has ended a stream before its answer was complete.

    `refused`: it has said that it has not begun the request (RFC 9113, section 8.7).
    """

    def __init__(self, words: str, refused: bool = False) -> None:
        super().__init__(words)
        self.refused = refused


class Frame(NamedTuple):
    """As it came."""

    kind: int
    flags: int
    stream: int
    content: bytes


class Http2Connection:
    """Connects when made. One stream at a time; what comes is read only by the methods that read."""

    def __init__(
        self,
        port: int,
        window: int = LARGE_WINDOW,
        receive_buffer: int = 0,
        tls: bool = False,
        silence: float = 30.0,
    ) -> None:
        """`window`: bytes that may come on each stream; `silence`: seconds without a byte after which reading fails."""
        self._silence = silence
        #: How bytes are sent.
        self.write: Callable[[socket.socket, bytes], None] = lambda to, data: to.sendall(data)
        self._connect(port, receive_buffer)
        if tls:
            self._begin_tls()
        #: The server takes no new streams on this connection any more.
        self.is_going_away = False
        #: How many streams have been answered.
        self.answered = 0
        #: Something of the present answer has come.
        self.is_amid_answer = False
        self._stream = -1
        self._buffer = bytearray()
        self._early: list[Frame] = []  # of an answer, while its request was still sent
        #: Bytes that the server takes: on each new stream, on the present one, on the connection.
        self._initial_room = self._stream_room = self._room = SMALL_WINDOW
        # Without a table for dynamic entries, every answer's status is spelled out.
        settings = ((SETTING_TABLE_SIZE, 0), (SETTING_PUSH, 0), (SETTING_WINDOW, window))
        self._send(PREFACE + frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *setting) for setting in settings)))
        if window > SMALL_WINDOW:
            self._send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", window - SMALL_WINDOW)))

    def _connect(self, port: int, receive_buffer: int) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(self._silence)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))

    def _begin_tls(self) -> None:
        context = trusting()
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(self.socket, server_hostname="tls.example")

    def ask(self, method: str, target: str, host: str, fields: Fields = (), has_body: bool = False) -> None:
        """Begin the next stream; with a body, `send_body` has to follow."""
        self._stream += 2
        self._early = []
        self.is_amid_answer = False
        self._stream_room = self._initial_room
        pseudo = ((":method", method), (":scheme", "http"), (":path", target), (":authority", host))
        flags = END_HEADERS | (0 if has_body else END_STREAM)
        self._send(frame(HEADERS, flags, self._stream, encoded((*pseudo, *fields))))

    def ask_exactly(self, first: bytes, stream: int) -> None:
        """Send frames as they are; from here on, this is the present stream."""
        self._stream = stream
        self._early = []
        self.is_amid_answer = False
        self._send(first)

    def send_body(self, pieces: Iterable[bytes], ends: bool = True) -> None:
        """Send as the server's windows allow; no more when it has answered before it has all."""
        for piece in pieces:
            for start in range(0, len(piece), LARGEST_FRAME):
                self._send_data(piece[start : start + LARGEST_FRAME])
        if ends and not self._early:
            self._send(frame(DATA, END_STREAM, self._stream, b""))

    def _send_data(self, data: bytes) -> None:
        while len(data) > min(self._room, self._stream_room) and not self._early:
            came = self._read_frame()
            if self._is_answer(came):
                self._early.append(came)
            self._keep_house(came)
        if self._early:
            return
        self._send(frame(DATA, 0, self._stream, data))
        self._room -= len(data)
        self._stream_room -= len(data)

    def read_answer(self) -> tuple[int, bytes]:
        """Read all of it: status and body.

        Raises StreamEnded when the server has cut or refused it, EOFError at the end of the connection amid it.
        """
        status, body = 0, bytearray()
        while True:
            came = self.read()
            if came.kind == HEADERS:
                status = status_of(came.content)
            elif came.kind == DATA:
                body += came.content
            if came.flags & END_STREAM:
                self.answered += 1
                return status, bytes(body)

    def read(self) -> Frame:
        """The next frame of the present stream: HEADERS or DATA. Raises as `read_answer`."""
        while True:
            came = self._early.pop(0) if self._early else self._read_frame()
            if self._is_answer(came):
                return came
            self._keep_house(came)

    def _is_answer(self, came: Frame) -> bool:
        is_answer = came.stream == self._stream and came.kind in (HEADERS, DATA)
        self.is_amid_answer |= is_answer
        return is_answer

    def allow(self, count: int) -> None:
        """Let the server send so many bytes more, on the present stream and on the connection."""
        for stream in (0, self._stream):
            self._send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", count)))

    def reset(self) -> None:
        """Take the present stream back."""
        self._send(frame(RST_STREAM, 0, self._stream, struct.pack(">I", CANCEL)))

    def ping(self) -> None:
        """Return when the server has taken in all that was sent before."""
        self._send(frame(PING, 0, 0, b"in order"))
        while True:
            came = self._read_frame()
            if came.kind == PING and came.flags & ACKNOWLEDGE:
                return
            self._keep_house(came)

    def take_in(self) -> None:
        """Deal with what has come between two requests. Raises EOFError when the server has closed."""
        self.socket.setblocking(False)
        try:
            while True:
                self._receive()
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(self._silence)
        while self._has_frame():
            self._keep_house(self._read_frame())

    def _keep_house(self, came: Frame) -> None:
        if came.kind == SETTINGS and not came.flags & ACKNOWLEDGE:
            self._take_settings(came.content)
        elif came.kind == PING and not came.flags & ACKNOWLEDGE:
            self._send(frame(PING, ACKNOWLEDGE, 0, came.content))
        elif came.kind == WINDOW_UPDATE:
            self._take_room(came.stream, int.from_bytes(came.content, "big"))
        elif came.kind == GOAWAY:
            self.is_going_away = True
            last = int.from_bytes(came.content[:4], "big")
            if last < self._stream:
                raise StreamEnded(f"stream {self._stream} is behind the last one, {last}", True)
        elif came.kind == RST_STREAM and came.stream == self._stream:
            code = int.from_bytes(came.content, "big")
            raise StreamEnded(f"the server has reset the stream, error {code}", code == REFUSED_STREAM)

    def _take_settings(self, content: bytes) -> None:
        for start in range(0, len(content), 6):
            name, value = struct.unpack(">HI", content[start : start + 6])
            if name == SETTING_WINDOW:
                self._stream_room += value - self._initial_room
                self._initial_room = value
        self._send(frame(SETTINGS, ACKNOWLEDGE, 0, b""))

    def _take_room(self, stream: int, count: int) -> None:
        if stream == 0:
            self._room += count
        elif stream == self._stream:
            self._stream_room += count

    def _has_frame(self) -> bool:
        return len(self._buffer) >= 9 and len(self._buffer) >= 9 + int.from_bytes(self._buffer[:3], "big")

    def _read_frame(self) -> Frame:
        while not self._has_frame():
            self._receive()
        length = int.from_bytes(self._buffer[:3], "big")
        kind, flags = self._buffer[3], self._buffer[4]
        stream = int.from_bytes(self._buffer[5:9], "big") & 0x7FFFFFFF
        content = bytes(self._buffer[9 : 9 + length])
        del self._buffer[: 9 + length]
        return Frame(kind, flags, stream, content)

    def _receive(self) -> None:
        more = self.socket.recv(65536)
        if not more:
            raise EOFError("the server has closed the connection")
        self._buffer += more

    def _send(self, data: bytes) -> None:
        self.write(self.socket, data)

    def close(self) -> None:
        self.socket.close()


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return struct.pack(">I", len(content))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + content
