"""Clients that ask and then do not read, until they are told to: over plain HTTP, TLS and HTTP/2."""

from __future__ import annotations

import http.client
import ssl
import struct
from typing import Protocol

from support.client import Wire

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
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.wire.socket = context.wrap_socket(self.wire.socket, server_hostname=host)
        self.wire.head(f"GET {target} HTTP/1.1", host=host)

    def read_body(self) -> bytes:
        response = http.client.HTTPResponse(self.wire.socket, method="GET")
        response.begin()
        return response.read()

    def close(self) -> None:
        self.wire.close()


DATA, HEADERS, SETTINGS, WINDOW_UPDATE = 0, 1, 4, 8
END_STREAM, END_HEADERS, ACKNOWLEDGE = 1, 4, 1
WINDOW = 0x7FFF0000


class SlowHttp2:
    """HTTP/2 without TLS, one stream (RFC 9113). The server may send 65535 bytes until it is given a larger window."""

    def __init__(self, port: int, target: str, host: str = "site.example") -> None:
        self.wire = Wire(port)
        self.wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b""))
        # RFC 7541: `:method: GET` and `:scheme: http` by their index, `:path` and `:authority` spelled out.
        fields = b"\x82\x86" + spelled(4, target) + spelled(1, host)
        self.wire.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, fields))

    def read_body(self) -> bytes:
        for stream in (0, 1):
            self.wire.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", WINDOW)))
        body = bytearray()
        while True:
            kind, flags, content = self._frame()
            if kind == SETTINGS and not flags & ACKNOWLEDGE:
                self.wire.send(frame(SETTINGS, ACKNOWLEDGE, 0, b""))
            if kind == DATA:
                body += content
                if flags & END_STREAM:
                    return bytes(body)

    def _frame(self) -> tuple[int, int, bytes]:
        head = self._read(9)
        return head[3], head[4], self._read(int.from_bytes(head[:3], "big"))

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            more = self.wire.socket.recv(length - len(data))
            if not more:
                raise EOFError("the connection ended amid a frame")
            data += more
        return bytes(data)

    def close(self) -> None:
        self.wire.close()


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return struct.pack(">I", len(content))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + content


def spelled(index: int, value: str) -> bytes:
    """A header field whose name is in HPACK's static table; not indexed, no Huffman code."""
    assert len(value) < 127
    return bytes([index, len(value)]) + value.encode()
