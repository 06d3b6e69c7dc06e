"""Speaks to workers as httpd's children do, or as a plain SCGI peer does (docs/protocol.md, sections 2 and 3)."""

from __future__ import annotations

import array
import os
import socket
from dataclasses import dataclass, field

from spawner.shared import wire
from tests.unit.loaders.support.control import TIMEOUT


@dataclass
class Answer:
    """What came back.

    :ivar complete: whether the end frame came (always true for a plain answer).
    :ivar frames: kind and size of each frame.
    """

    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    frames: list[tuple[str, int]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.body.decode("latin-1")

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Client:
    """Asks one group's workers."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
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
        framed: bool = True,
        descriptors: tuple[int, ...] = (),
        token: str | None = None,
    ) -> Exchange:
        """Send a request; its answer can be read bit by bit.

        :param length: CONTENT_LENGTH, if it is not that of `body`.
        :param kind: JUMPSEAT_BODY; "" for none at all.
        """
        kind = kind if kind is not None else "inline" if body is not None or length is not None else "none"
        size = length if length is not None else len(body or b"") if kind not in ("none", "framed") else 0
        pairs = [("CONTENT_LENGTH", str(size)), ("SCGI", "1"), ("REQUEST_METHOD", method)]
        pairs += [("SCRIPT_NAME", ""), ("PATH_INFO", path.partition("?")[0]), ("QUERY_STRING", path.partition("?")[2])]
        pairs += [("SERVER_NAME", "app.example"), ("SERVER_PORT", "80"), ("SERVER_PROTOCOL", "HTTP/1.1")]
        pairs += [("REQUEST_URI", path), ("REMOTE_ADDR", "192.0.2.7"), *(variables or {}).items()]
        if framed:
            pairs += [("JUMPSEAT_FRAMED", "1")]
        if kind:
            pairs += [("JUMPSEAT_BODY", kind)]
        token = self._token if token is None else token
        if token:
            pairs += [("JUMPSEAT_TOKEN", token)]
        head = wire.encode([(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs])
        exchange = Exchange(self._address, framed, method)
        try:
            exchange.send(head + (body or b""), descriptors)
        except BaseException:
            exchange.close()
            raise
        return exchange

    def connect(self, framed: bool = True) -> Exchange:
        """Return an exchange on which nothing has been sent."""
        return Exchange(self._address, framed, "GET")


class Exchange:
    """One connection, one request, one answer."""

    def __init__(self, address: str, framed: bool, method: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self._framed = framed
        self._buffer = b""
        self._descriptors: list[int] = []
        self.kind = ""

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []

    def send(self, data: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send bytes. A worker that has answered without waiting for them is no error: its answer can be read."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            sent = self.socket.sendmsg([data], rights)
            if sent < len(data):
                self.socket.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answer(self) -> Answer:
        """Read to the end of the connection."""
        answer = Answer()
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive():
                assert not self._buffer, f"half a head: {self._buffer!r}"
                return answer
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        assert lines[0].startswith("Status: "), lines
        answer.status = lines[0][8:]
        answer.headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:])]
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
        """Return the next data or file frame's bytes, b"" for the end frame, None at the end of the connection."""
        head = self.read(4)
        if len(head) < 4:
            return None
        size = int.from_bytes(head, "big")
        self.kind = "file" if size == 0xFFFFFFFF else "data"
        if self.kind == "file":
            offset, length = (int.from_bytes(self.read(8), "big") for _ in range(2))
            return os.pread(self._descriptors[-1], length, offset)
        data = self.read(size)
        return data if len(data) == size else None

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
                return
            if not data:
                answer.complete = True
                assert not self.read(1), "bytes behind the end frame"
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
