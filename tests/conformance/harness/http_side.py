"""Speaks HTTP/1.1 to workers whose loader has the capability `http`, as httpd's children do (docs/protocol.md,
section 10). Each connection carries one request.
"""

from __future__ import annotations

import re

from tests.conformance.harness.httpd_side import Answer, Client, Exchange

_STATUS_LINE = re.compile(r"HTTP/1\.1 ([2-5][0-9][0-9] [^\r\n]*)\Z")


class HttpClient(Client):
    """Asks one group's workers."""

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
    ) -> Exchange:
        """As Client.open. Variables that begin with HTTP_ are headers; frames and tokens are none of HTTP's."""
        lines = [f"{method} {path} HTTP/1.1", "Host: app.example", "Connection: close"]
        named = {name[5:]: value for name, value in (variables or {}).items() if name.startswith("HTTP_")}
        lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in named.items()]
        if body is not None or length is not None:
            lines.append(f"Content-Length: {len(body or b'') if length is None else length}")
        head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")
        return HttpExchange(self.address, False, method).begin(head + (body or b""))

    def connect(self, framed: bool | None = None) -> Exchange:
        return HttpExchange(self.address, False, "GET")


class HttpExchange(Exchange):
    """One connection, one request, one answer."""

    def answer(self, *allowed: str) -> Answer:
        data = b""
        while piece := self.read(1 << 16):
            data += piece
        answer = Answer()
        if data:
            head, _, rest = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            found = _STATUS_LINE.match(first)
            assert found, f"no status line: {first!r}"
            answer.status, answer.headers = found[1], [_header(line) for line in lines]
            answer.body, answer.complete = self._body(answer, rest)
        return answer

    def _body(self, answer: Answer, rest: bytes) -> tuple[bytes, bool]:
        """The body, and whether all of it has come."""
        if self.method == "HEAD" or answer.status[:3] in ("204", "304"):
            assert not rest, f"a body where there is none: {rest!r}"
            return b"", True
        if answer.header("Transfer-Encoding") == "chunked":
            return _without_chunks(rest)
        length = answer.header("Content-Length")
        return rest, length is None or len(rest) == int(length)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(": ")
    assert colon, f"no header: {line!r}"
    return name, value


def _without_chunks(data: bytes) -> tuple[bytes, bool]:
    body = b""
    while (end := data.find(b"\r\n")) >= 0:
        size = int(data[:end], 16)
        piece, data = data[end + 2 : end + 2 + size], data[end + 2 + size + 2 :]
        if size == 0:
            assert not data, f"bytes behind the last chunk: {data!r}"
            return body, True
        body += piece
    return body, False
