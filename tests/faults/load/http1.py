"""One client's connection of HTTP/1.1: requests go out, answers are read to their end or are cut."""

from __future__ import annotations

import http.client
import select
import socket
from typing import Iterator

from load.connection import SILENCE, CutAnswer, NotAnswered
from load.kinds import Request


class Http1:
    """`keep`: uses one connection for all requests, as long as the server does."""

    protocol = "HTTP/1.1"

    def __init__(self, port: int, keep: bool) -> None:
        self._port, self._keep = port, keep
        self._socket: socket.socket | None = None
        self._answered = 0
        self.cookie = ""

    def exchange(self, request: Request) -> tuple[int, bytes]:
        if self._has_ended():
            self.close()
        if self._socket is None:
            self._connect()
        refused = self._send(request)
        response = http.client.HTTPResponse(self._socket)  # type: ignore[arg-type]
        try:
            try:
                response.begin()
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
                raise NotAnswered(refused or error, self._answered > 0) from error
            body = response.read()
        except http.client.HTTPException as error:
            self.close()
            raise CutAnswer(repr(error)) from error
        except BaseException:
            self.close()
            raise
        finally:
            response.close()
        self._answered += 1
        self.cookie = (response.getheader("Set-Cookie") or "").partition(";")[0]
        if response.will_close or refused is not None:
            self.close()
        return response.status, body

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=SILENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answered = 0

    def _has_ended(self) -> bool:
        """Whether the server has closed the kept connection, which every client sees before it sends anything."""
        return self._socket is not None and bool(select.select([self._socket], [], [], 0)[0])

    def _send(self, request: Request) -> OSError | None:
        """Send all of it. A server that has heard enough may have answered all the same: the error is returned."""
        assert self._socket is not None
        try:
            self._socket.sendall(self._head(request))
            for piece in _encoded(request):
                self._socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError) as error:
            return error
        return None

    def _head(self, request: Request) -> bytes:
        fields = [("Host", request.host), ("Connection", "keep-alive" if self._keep else "close"), *request.fields]
        if request.is_chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        lines = [f"{request.method} {request.target} HTTP/1.1", *(": ".join(field) for field in fields), "", ""]
        return "\r\n".join(lines).encode()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _encoded(request: Request) -> Iterator[bytes]:
    for piece in request.pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece) if request.is_chunked else piece
    if request.is_chunked:
        yield b"0\r\n\r\n"
