"""Clients that ask and then do not read, until they are told to: over plain HTTP, TLS and HTTP/2."""

from __future__ import annotations

import http.client
from typing import Protocol

from support.certificates import trusting
from support.client import Wire
from support.http2 import LARGE_WINDOW, SMALL_WINDOW, Http2Connection

#: Bytes: little, so that what a client does not read stays with the server.
RECEIVE_BUFFER = 4096


class SlowClient(Protocol):
    """Asks when made; reads only when `read_body` is called."""

    def read_body(self) -> bytes:
        """Read the whole answer; return its body."""

    def close(self) -> None: ...


class SlowHttp:
    """HTTP/1.1."""

    def __init__(self, port: int, target: str, host: str = "site.example") -> None:
        self.wire = Wire(port, receive_buffer=RECEIVE_BUFFER)
        self.wire.head(f"GET {target} HTTP/1.1", host=host)

    def read_body(self) -> bytes:
        return self.wire.answer().body

    def close(self) -> None:
        self.wire.close()


class SlowTls:
    """HTTP/1.1 over TLS."""

    def __init__(self, port: int, target: str, host: str = "tls.example") -> None:
        self.wire = Wire(port, receive_buffer=RECEIVE_BUFFER)
        self.wire.socket = trusting().wrap_socket(self.wire.socket, server_hostname=host)
        self.wire.head(f"GET {target} HTTP/1.1", host=host)

    def read_body(self) -> bytes:
        response = http.client.HTTPResponse(self.wire.socket, method="GET")
        response.begin()
        return response.read()

    def close(self) -> None:
        self.wire.close()


class SlowHttp2:
    """HTTP/2, one stream."""

    def __init__(
        self, port: int, target: str, host: str = "site.example", window: int = SMALL_WINDOW, tls: bool = False
    ) -> None:
        """`window`: what the server may send before it is read; with more than the smallest, it is the network that
        takes nothing, else the client allows no more."""
        self.connection = Http2Connection(port, window, RECEIVE_BUFFER, tls)
        self.connection.ask("GET", target, host)

    def read_body(self) -> bytes:
        self.connection.allow(LARGE_WINDOW)
        return self.connection.read_answer()[1]

    def close(self) -> None:
        self.connection.close()
