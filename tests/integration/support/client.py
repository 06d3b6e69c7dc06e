"""HTTP clients: whole exchanges over a kept connection, and raw bytes where the bytes matter."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Iterable, Mapping

from support.waiting import TIMEOUT


@dataclass(frozen=True)
class Answer:
    """One complete response."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        assert self.status == 200, f"{self.status} {self.reason}\n{self.body.decode(errors='replace')}"
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        """The values of all headers of that name, in order."""
        return [value for header, value in self.headers if header.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of the only header of that name; None without one."""
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None


class Client:
    """A connection kept alive to one virtual host; connects when first used."""

    def __init__(self, port: int, host: str, timeout: float = TIMEOUT) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._host = host

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send and read the whole answer. A body that is not bytes is sent chunked.

        Raises http.client.IncompleteRead for a cut body.
        """
        chunked = body is not None and not isinstance(body, bytes)
        self._connection.request(method, path, body, {"Host": self._host, **(headers or {})}, encode_chunked=chunked)
        return read_answer(self._connection.getresponse())

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, None, spelled(headers))

    @property
    def local_port(self) -> int:
        """The client's own port: stays the same as long as the connection was kept."""
        assert self._connection.sock is not None, "the connection was not kept"
        return int(self._connection.sock.getsockname()[1])

    @property
    def kept(self) -> bool:
        return self._connection.sock is not None

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def spelled(headers: Mapping[str, str]) -> dict[str, str]:
    """Header names from Python's spelling: `if_none_match`."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def read_answer(response: http.client.HTTPResponse) -> Answer:
    body = response.read()
    return Answer(response.status, response.reason, response.getheaders(), body)


class Wire:
    """A raw connection: send exact bytes, read answers one after the other."""

    def __init__(self, port: int, timeout: float = TIMEOUT, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def head(self, request_line: str, *headers: str, host: str = "site.example") -> None:
        """Send a request line, Host and headers, and the empty line."""
        self.send("\r\n".join([request_line, f"Host: {host}", *headers, "", ""]).encode("latin-1"))

    def open_answer(self, method: str = "GET") -> http.client.HTTPResponse:
        """Read the next response's head; its body is read from what is returned, as it comes (`read1`)."""
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        return response

    def answer(self, method: str = "GET") -> Answer:
        """Read the next response whole."""
        return read_answer(self.open_answer(method))

    def read_until(self, end: bytes) -> bytes:
        """Read byte by byte up to and with `end`; what follows stays in the socket."""
        data = b""
        while not data.endswith(end):
            byte = self.socket.recv(1)
            if not byte:
                raise EOFError(f"the connection ended after {data!r}")
            data += byte
        return data

    def read_to_end(self) -> bytes:
        """All bytes until the server closes."""
        data = b""
        while True:
            more = self.socket.recv(65536)
            if not more:
                return data
            data += more

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
