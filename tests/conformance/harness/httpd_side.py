"""Speaks to workers as httpd's children do, or as a plain SCGI peer does (docs/protocol.md, sections 2 and 3).

It is as strict as the module in httpd: a response that the module would refuse fails the test.
"""

from __future__ import annotations

import array
import os
import socket
from dataclasses import dataclass, field

from spawner.shared import wire
from tests.conformance.harness.response_reader import read_frame_header, read_head
from tests.conformance.harness.spawner_side import TIMEOUT

_TAIL_FIELD = len("JUMPSEAT_TAIL") + 1 + 6 + 1  # bytes


def _size(pairs: list[tuple[str, str]]) -> int:
    return sum(len(name) + len(value) + 2 for name, value in pairs)


@dataclass
class Answer:
    """What came back.

    :ivar complete: whether the end frame came (always true for a plain answer).
    :ivar frames: kind and size of each frame.
    :ivar error_id: of an error that the worker itself answers; else empty.
    :ivar asks_for_chunks: whether the client is to get the body in chunks.
    :ivar interims: the interim heads before the response.
    :ivar slot: of the worker, if it has kept the connection for another request; else None.
    """

    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    frames: list[tuple[str, int]] = field(default_factory=list)
    error_id: str = ""
    asks_for_chunks: bool = False
    interims: list[str] = field(default_factory=list)
    slot: int | None = None

    @property
    def text(self) -> str:
        return self.body.decode("latin-1")

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Client:
    """Asks one group's workers."""

    def __init__(self, address: str, token: str, framed: bool = True) -> None:
        self._framed = framed
        self.address = address
        self._token = token

    def ask(self, method: str = "GET", path: str = "/", body: bytes | None = None, **options: object) -> Answer:
        """Send a framed request, its body inline, and return the whole answer."""
        with self.open(method, path, body, **options) as exchange:  # type: ignore[arg-type]
            return exchange.answer()

    def open(
        self,
        method: str = "GET",
        path: str = "/",
        body: bytes | None = None,
        variables: dict[str, str] | None = None,
        length: int | None = None,
        kind: str | None = None,
        framed: bool | None = None,
        descriptors: tuple[int, ...] = (),
        token: str | None = None,
        on: Exchange | None = None,
        tail: dict[str, str] | None = None,
    ) -> Exchange:
        """Send a request; its answer can be read bit by bit. If it asks for no frames and no kind of body, it is plain.

        :param length: CONTENT_LENGTH, if it is not that of `body`.
        :param kind: JUMPSEAT_BODY; "" for none at all.
        :param on: the exchange before, whose connection the worker has kept; by default a new connection.
        :param tail: variables that stand in the head's tail, together with the extensions; by default there is no tail.
        """
        framed = self._framed if framed is None else framed
        kind = kind if kind is not None or self._framed else ""
        kind = kind if kind is not None else "inline" if body is not None or length is not None else "none"
        size = length if length is not None else len(body or b"") if kind not in ("none", "framed") else 0
        pairs = [("CONTENT_LENGTH", str(size)), ("SCGI", "1"), ("REQUEST_METHOD", method)]
        pairs += [("SCRIPT_NAME", ""), ("PATH_INFO", path.partition("?")[0]), ("QUERY_STRING", path.partition("?")[2])]
        pairs += [("SERVER_NAME", "app.example"), ("SERVER_PORT", "80"), ("SERVER_PROTOCOL", "HTTP/1.1")]
        pairs += [("REQUEST_URI", path), ("REMOTE_ADDR", "192.0.2.7"), *(variables or {}).items()]
        extensions = list((tail or {}).items())
        if framed:
            extensions += [("JUMPSEAT_FRAMED", "1")]
        if kind:
            extensions += [("JUMPSEAT_BODY", kind)]
        token = self._token if token is None else token
        if token:
            extensions += [("JUMPSEAT_TOKEN", token)]
        if tail is not None:
            extensions += [("JUMPSEAT_TAIL", f"{_size(extensions) + _TAIL_FIELD:06}")]
        head = wire.encode([(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs + extensions])
        exchange = Exchange(self.address, framed, method) if on is None else on.again(method)
        return exchange.begin(head + (body or b""), descriptors)

    def connect(self, framed: bool | None = None) -> Exchange:
        """Return an exchange on which nothing has been sent."""
        return Exchange(self.address, self._framed if framed is None else framed, "GET")


class Exchange:
    """One connection, and at a time one request and its answer."""

    def __init__(self, address: str, framed: bool, method: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self._framed = framed
        self.method = method
        self._buffer = b""
        self._descriptors: list[int] = []
        self.kind = ""
        self.failure = ""  # the error id that has cut the body
        self.slot: int | None = None  # of the worker that has kept the connection

    def again(self, method: str) -> Exchange:
        """Return this exchange, ready for another request: the worker has kept the connection."""
        assert self.slot is not None
        assert not self._buffer
        self.method, self.slot = method, None
        return self

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []

    def begin(self, data: bytes, descriptors: tuple[int, ...] = ()) -> Exchange:
        """Send the head of the request, and what goes with it; the connection is closed if that fails."""
        try:
            self.send(data, descriptors)
        except BaseException:
            self.close()
            raise
        return self

    def send(self, data: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send bytes. A worker that has answered without waiting for them is no error: its answer can be read."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            sent = self.socket.sendmsg([data], rights)
            if sent < len(data):
                self.socket.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answer(self, *allowed: str) -> Answer:
        """Read to the end of the connection.

        :param allowed: the interim heads that may come besides hints: `continue`, `acknowledge`.
        """
        answer = Answer()
        while (read := read_head(self._buffer, frozenset(allowed))) is None:
            if not self._receive():
                assert not self._buffer, f"half a head: {self._buffer!r}"
                return answer
        head, self._buffer = read
        answer.status, answer.headers = head.status, head.headers
        answer.error_id, answer.interims = head.error_id, head.interims
        answer.asks_for_chunks = head.asks_for_chunks
        if self._framed:
            self._read_frames(answer)
        else:
            while self._receive():
                pass
            answer.body, answer.complete = self._buffer, True
        return answer

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes as they come; fewer at the end."""
        while len(self._buffer) < count and self._receive():
            pass
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            assert self._receive(), f"{mark!r} did not come, but {self._buffer!r}"
        end = self._buffer.index(mark) + len(mark)
        data, self._buffer = self._buffer[:end], self._buffer[end:]
        return data

    def read_frame(self) -> bytes | None:
        """Return the next data or file frame's bytes, b"" for an end frame, None at the end of the connection or of a
        body that an error has cut (see `failure`).
        """
        while (read := read_frame_header(self._buffer)) is None:
            if not self._receive():
                return None
        frame, size = read
        self._buffer = self._buffer[size:]
        self.kind = frame.kind
        if frame.kind == "failure":
            self.failure = frame.error_id
            assert not self.read(1), "bytes behind the failure frame"
            return None
        if frame.kind == "kept":
            self.slot = frame.slot
        if frame.kind == "file":
            return os.pread(self._descriptors[-1], frame.size, frame.offset)
        data = self.read(frame.size) if frame.size else b""
        return data if len(data) == frame.size else None

    def answer_frames(self) -> bytes:
        """Read the rest of a framed body; it has to be complete."""
        rest = Answer()
        self._read_frames(rest)
        assert rest.complete
        return rest.body

    def _read_frames(self, answer: Answer) -> None:
        while True:
            data = self.read_frame()
            if data is None:
                answer.error_id = answer.error_id or self.failure
                return
            if not data:
                answer.complete, answer.slot = True, self.slot
                assert self.slot is not None or not self.read(1), "bytes behind the end frame"
                return
            answer.frames.append((self.kind, len(data)))
            answer.body += data

    def _receive(self) -> bool:
        try:
            data, ancillary, _, _ = self.socket.recvmsg(1 << 16, 256)
        except ConnectionResetError:
            return False
        for level, kind, rights in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._descriptors += array.array("i", rights).tolist()
        self._buffer += data
        return bool(data)
