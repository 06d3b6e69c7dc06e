"""A loader that does what a test says: it answers registrations in place of the spawner, and requests as a worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Callable

from spawner.shared import wire
from spawner.shared.constants import CONTROL_MESSAGE_LIMIT, REQUEST_HEAD_LIMIT, SCOREBOARD_SLOT_SIZE
from support.httpd import Httpd
from support.waiting import TIMEOUT

TOKEN = "the group's secret"
_MOST_DESCRIPTORS = 8
_SERVING = 1
_QUEUE = 64


@dataclass
class Exchange:
    """One connection of the module: the request's head, and what has come behind it.

    `head`: the variables of SCGI; over HTTP only the method, the target and the length. `request_line`, `headers`: of
    HTTP.
    """

    connection: socket.socket
    head: dict[str, str] = field(default_factory=dict)
    request_line: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    rest: bytes = b""
    descriptors: list[int] = field(default_factory=list)

    def extensions(self) -> dict[str, str]:
        """What goes beyond SCGI."""
        return {name: value for name, value in self.head.items() if name.startswith("JUMPSEAT")}

    def read_head(self) -> None:
        """Of either wire: that of SCGI begins with a number."""
        data = self.connection.recv(1, socket.MSG_PEEK)
        if data.isalpha():
            self._read_http_head()
        else:
            self._read_scgi_head()

    def _read_http_head(self) -> None:
        data = self.rest
        while b"\r\n\r\n" not in data:
            more = self.connection.recv(4096)
            assert more, f"the connection ended inside the head: {data!r}"
            data += more
        text, _, self.rest = data.partition(b"\r\n\r\n")
        self.request_line, *lines = text.decode("latin-1").split("\r\n")
        self.headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        method, target, _ = self.request_line.split(" ")
        self.head = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": target,
            "CONTENT_LENGTH": self.header("Content-Length") or "0",
        }

    def header(self, name: str) -> str | None:
        """The value of a header of HTTP, which came at most once."""
        values = [value for each, value in self.headers if each.lower() == name.lower()]
        assert len(values) < 2, values
        return values[0] if values else None

    def read_line(self) -> bytes:
        """Up to the next line end, without it."""
        while b"\r\n" not in self.rest:
            more = self.connection.recv(65536)
            assert more, f"the connection ended inside a line: {self.rest!r}"
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def read_chunks(self) -> bytes:
        """A whole body in chunks."""
        body = b""
        while size := int(self.read_line(), 16):
            body += self.read(size)
            assert self.read_line() == b""
        assert self.read_line() == b""
        return body

    def _read_scgi_head(self) -> None:
        data = b""
        while (end := wire.message_end(data, REQUEST_HEAD_LIMIT)) is None or len(data) < end:
            more, descriptors, _, _ = socket.recv_fds(self.connection, 4096, _MOST_DESCRIPTORS)
            assert more, f"the connection ended inside the head: {data!r}"
            data += more
            self.descriptors += descriptors
        fields = wire.split_native(wire.payload_of(data, end))
        self.head = dict(zip(fields[::2], fields[1::2]))
        self.rest = data[end:]

    def read(self, count: int) -> bytes:
        """The next `count` bytes of the body; fewer if the connection ends."""
        while len(self.rest) < count:
            more = self.connection.recv(65536)
            if not more:
                break
            self.rest += more
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def body(self) -> bytes:
        """As many bytes as the head says."""
        return self.read(int(self.head["CONTENT_LENGTH"]))

    def has_ended(self) -> bool:
        """Whether the module has closed the connection; what it has sent may still be read."""
        watched = select.poll()
        watched.register(self.connection, select.POLLRDHUP)
        return bool(watched.poll(0))

    def answer(self, *parts: bytes, head: str = "Status: 200 OK") -> None:
        """Send a whole response, raw, and end the connection."""
        self.connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + b"".join(parts))
        self.close()

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def close(self) -> None:
        self.connection.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []

    def __enter__(self) -> Exchange:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ScriptedLoader:
    """Takes the place of the spawner of a running httpd for all groups that are registered from now on.

    `capabilities`: the field of that name in its answers; None: it has none. `capabilities_of`: what it is instead for
    the group of that name; None: nothing else.
    """

    def __init__(
        self,
        httpd: Httpd,
        capabilities: str | None = "",
        capabilities_of: Callable[[str], str | None] = lambda group: None,
    ) -> None:
        self.capabilities = capabilities
        self._capabilities_of = capabilities_of
        #: Of each registration, its fields.
        self.registrations: list[dict[str, str]] = []
        httpd.wait_for_spawner()
        self._scoreboard = _scoreboard()
        self._folder = httpd.folder
        self._sockets = 0
        self._open_socket()
        path = httpd.folder / "registrar.sock"
        self._registrar = self._listen(socket.SOCK_SEQPACKET, path)
        path.rename(httpd.instance_folder() / "spawner.sock")
        self._thread = threading.Thread(target=self._answer_registrations, daemon=True)
        self._thread.start()

    def _listen(self, kind: socket.SocketKind, path: Path) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.settimeout(TIMEOUT if kind == socket.SOCK_STREAM else None)
        listener.bind(str(path))
        listener.listen(_QUEUE)
        of_httpd = (self._folder / "buffer").stat()
        os.chown(path, of_httpd.st_uid, of_httpd.st_gid)
        return listener

    def _open_socket(self) -> None:
        self._sockets += 1
        self.socket_path = self._folder / f"group{self._sockets}.sock"
        self._listener = self._listen(socket.SOCK_STREAM, self.socket_path)

    def _close_socket(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends an accept() of another thread
        self._listener.close()
        self.socket_path.unlink()

    def move(self, capabilities: str | None) -> None:
        """Another loader takes over, at another socket; the old one is gone."""
        self._close_socket()
        self.capabilities = capabilities
        self._open_socket()

    def listen_as_worker(self, route: str) -> socket.socket:
        """The own socket of a worker of that route."""
        return self._listen(socket.SOCK_STREAM, self.socket_path.with_suffix(f".{route}.sock"))

    def _answer_registrations(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                line, _ = self._registrar.accept()
                with line:
                    fields = wire.decode_text(line.recv(CONTROL_MESSAGE_LIMIT))
                    group = next((value for name, value in fields if name == "group"), "")
                    self.registrations.append(dict(fields))
                    answer = [("type", "registered"), ("socket", str(self.socket_path)), ("app_token", TOKEN)]
                    others = self._capabilities_of(group)
                    capabilities = self.capabilities if others is None else others
                    if capabilities is not None:
                        answer.append(("capabilities", capabilities))
                    socket.send_fds(line, [wire.encode_text(answer)], [self._scoreboard])

    def set_worker(self, slot: int, running: int, served: int = 0) -> None:
        """Write what the worker of a slot says of itself: in how many requests it is, of one, and has been."""
        header = struct.pack("<IIIIQ", _SERVING, 1, running, 1, served)
        os.pwrite(self._scoreboard, header, slot * SCOREBOARD_SLOT_SIZE)

    def accept(self) -> Exchange:
        """The next request, as far as its head."""
        exchange = self.accept_connection()
        exchange.read_head()
        return exchange

    def accept_connection(self) -> Exchange:
        """The next connection, whose head has yet to be read."""
        exchange = Exchange(self._listener.accept()[0])
        exchange.connection.settimeout(TIMEOUT)
        return exchange

    def has_connection(self) -> bool:
        """Whether a connection waits to be accepted."""
        return is_readable(self._listener)

    def close(self) -> None:
        self._close_socket()
        self._registrar.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT)
        self._registrar.close()
        os.close(self._scoreboard)


def _scoreboard() -> int:
    """One with two slots, sealed as the spawner's."""
    descriptor = os.memfd_create("scoreboard", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, 2 * SCOREBOARD_SLOT_SIZE)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return descriptor


def is_readable(listener: socket.socket) -> bool:
    return bool(select.select([listener], [], [], 0)[0])
