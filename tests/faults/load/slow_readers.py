"""Clients that ask for one large answer each and read it slowly, beside whatever else a case does."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from pathlib import Path
from types import TracebackType

from load.generator import complaint
from load.kinds import Kind, pattern
from load.outcome import ANSWERED, FAILED, Outcome
from load.request_log import RequestLog
from support.client import Wire
from support.hpack import status_of
from support.http2 import DATA, END_STREAM, HEADERS, SMALL_WINDOW, Http2Connection
from support.waiting import eventually

SIZE = 10 << 20
DOWNLOAD = Kind("download", "/fast", 0.0, lambda identity: (f"&size={SIZE}", pattern(identity, SIZE), None))
RECEIVE_BUFFER = 4096


class Reader:
    """Reads at `rate` bytes a second, until it is told to hurry. Over HTTP/2 it allows no more than it has read."""

    def __init__(self, port: int, identity: str, is_http2: bool, rate: int, hurry: threading.Event) -> None:
        self._port, self._is_http2, self._rate, self._hurry = port, is_http2, rate, hurry
        self._piece = max(1024, rate // 16)
        self.outcome = Outcome(DOWNLOAD, identity, time.monotonic(), "HTTP/2" if is_http2 else "HTTP/1.1")
        self.body = bytearray()
        self.is_over = False
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        request = DOWNLOAD.request(self.outcome.identity, "site.example")
        try:
            status = (self._read_http2 if self._is_http2 else self._read_http1)(request.target)
            self.outcome.detail = complaint(self.outcome, status, bytes(self.body), request.content)
            self.outcome.result = FAILED if self.outcome.detail else ANSWERED
        except (OSError, EOFError, http.client.HTTPException) as error:
            self.outcome.detail = f"after {len(self.body)} bytes: {error!r}"
        finally:
            if self._socket is not None:
                self._socket.close()
        self.outcome.seconds = time.monotonic() - self.outcome.begun
        self.is_over = True

    def _read_http1(self, target: str) -> int:
        wire = Wire(self._port, 60, RECEIVE_BUFFER)
        self._socket = wire.socket
        wire.head(f"GET {target} HTTP/1.1")
        with wire.open_answer() as response:
            while more := response.read1(-1 if self._hurry.is_set() else self._piece):
                self._take(more)
        return response.status

    def _read_http2(self, target: str) -> int:
        connection = Http2Connection(self._port, SMALL_WINDOW, RECEIVE_BUFFER, silence=60)
        self._socket = connection.socket
        connection.ask("GET", target, "site.example")
        status, ends = 0, False
        while not ends:
            came = connection.read()
            ends = bool(came.flags & END_STREAM)
            if came.kind == HEADERS:
                status = status_of(came.content)
            if came.kind == DATA:
                self._take_frame(connection, came.content, ends)
        return status

    def _take_frame(self, connection: Http2Connection, content: bytes, ends: bool) -> None:
        while content:
            piece = content if self._hurry.is_set() else content[: self._piece]
            content = content[len(piece) :]
            self._take(piece)
            if not ends:
                connection.allow(len(piece))

    def _take(self, data: bytes) -> None:
        """The second half is read so slowly that no reader ends before it is told to, however long a case takes."""
        self.body += data
        rate = self._rate if len(self.body) < SIZE // 2 else self._rate / 32
        self._hurry.wait(len(data) / rate)

    def cut(self) -> None:
        """Leave, also amid waiting for more; with a RST, as one does who leaves bytes unread."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._socket.shutdown(socket.SHUT_RD)
        self._hurry.set()

    def join(self, deadline: float) -> None:
        self._thread.join(max(0.0, deadline - time.monotonic()))


class SlowReaders:
    """So many of them while a `with` block runs; at its end those that are not told to hurry leave."""

    def __init__(self, ports: tuple[int, int], counts: tuple[int, int], rate: int, events: Path) -> None:
        """`ports`, `counts`: of HTTP/1.1 and HTTP/2. `rate`: bytes a second. `events`: with the app's request log."""
        self._ports, self._counts, self._rate, self._events = ports, counts, rate, events
        self._hurry = threading.Event()
        self.readers: list[Reader] = []

    def __enter__(self) -> SlowReaders:
        for is_http2, (port, count) in enumerate(zip(self._ports, self._counts)):
            for number in range(count):
                identity = f"slow-{id(self):x}-{is_http2}-{number}"
                self.readers.append(Reader(port, identity, bool(is_http2), self._rate, self._hurry))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self.readers:
            reader.cut()
        self._join(10)

    def _join(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for reader in self.readers:
            reader.join(deadline)

    def wait_until_given(self, seconds: float = 120) -> None:
        """Wait until the app has given all of its answers: no worker is in any of these requests."""

        def missing() -> set[str]:
            ended = set().union(*RequestLog(self._events).ended.values())
            return {reader.outcome.identity for reader in self.readers} - ended

        eventually(lambda: not missing(), lambda: f"workers to be free of {missing()}", seconds)

    def wait_for_more(self, count: int, seconds: float = 30) -> None:
        """Wait until each has read so many bytes more."""
        wanted = [len(reader.body) + count for reader in self.readers]
        eventually(lambda: all(len(one.body) >= more for one, more in zip(self.readers, wanted)), self.told, seconds)

    def told(self) -> str:
        return "; ".join(f"{reader.outcome} {len(reader.body)}" for reader in self.readers)

    def finish(self, seconds: float = 60) -> list[Outcome]:
        """Let all read as fast as they can, and wait for them."""
        self._hurry.set()
        self._join(seconds)
        return self.outcomes()

    def outcomes(self) -> list[Outcome]:
        return [reader.outcome for reader in self.readers]
