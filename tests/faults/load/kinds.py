"""The kinds of requests that a load is mixed of, and what a right answer to each looks like."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Callable, Iterator, Sequence

#: Seconds that an answer may take beyond what its kind takes by itself; what takes longer is late. Generous, because
#: the machine may be busy with other tests: a late answer is one that was stuck, not one that was slow.
LATE_AFTER = 3.0
_UPLOAD = bytes(range(256)) * 256  # 64 KiB
_BLOCK = 8192


def pattern(identity: str, size: int) -> bytes:
    """The bytes that the app answers with for an id."""
    digest = hashlib.sha256(identity.encode()).hexdigest().encode()
    return (digest * (size // len(digest) + 1))[:size]


@dataclass(frozen=True)
class Request:
    """One request to be sent, in whatever version of HTTP."""

    method: str
    target: str
    host: str
    fields: Sequence[tuple[str, str]]
    is_chunked: bool  # a body whose length is not announced
    pieces: Iterator[bytes]  # of the body, as they are to be sent
    content: bytes  # of a right answer, after its first line


@dataclass(frozen=True)
class Kind:
    """One kind of request.

    `seconds`: what the app (or a slow upload) takes by itself. `make`: from an id, query, content of the answer, body.
    """

    name: str
    path: str
    seconds: float
    make: Callable[[str], tuple[str, bytes, bytes | None]]
    chunked: bool = False
    pause: float = 0.0  # between the pieces of a body
    cookie: str = ""
    by_app: bool = True  # the app answers, with its first line; else a file of httpd's own

    @property
    def late_after(self) -> float:
        return self.seconds + LATE_AFTER

    def request(self, identity: str, host: str) -> Request:
        query, content, body = self.make(identity)
        fields = [("cookie", self.cookie)] if self.cookie else []
        if body is not None and not self.chunked:
            fields.append(("content-length", str(len(body))))
        return Request(
            method="GET" if body is None else "POST",
            target=f"{self.path}?id={identity}{query}",
            host=host,
            fields=fields,
            is_chunked=body is not None and self.chunked,
            pieces=self._pieces(body or b""),
            content=content,
        )

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        size = _BLOCK if self.chunked or self.pause else max(1, len(body))
        for start in range(0, len(body), size):
            if start and self.pause:
                time.sleep(self.pause)
            yield body[start : start + size]


def _upload(identity: str) -> tuple[str, bytes, bytes | None]:
    body = pattern(identity, 64) + _UPLOAD
    return "", hashlib.sha256(body).hexdigest().encode(), body


def _stream(parts: int, pause: float) -> Callable[[str], tuple[str, bytes, bytes | None]]:
    def make(identity: str) -> tuple[str, bytes, bytes | None]:
        content = b"".join(pattern(f"{identity}/{number}", 500) for number in range(parts))
        return f"&parts={parts}&pause={pause}", content, None

    return make


def slow(seconds: float) -> Kind:
    """The app sleeps before it answers."""
    return Kind("slow", "/slow", seconds, lambda identity: (f"&seconds={seconds}", pattern(identity, 200), None))


FAST = Kind("fast", "/fast", 0.0, lambda identity: ("", pattern(identity, 200), None))
LARGE = Kind("large", "/fast", 0.0, lambda identity: ("&size=60000", pattern(identity, 60000), None))
STREAM = Kind("stream", "/stream", 0.2, _stream(5, 0.05))
SLOW = slow(0.25)
UPLOAD = Kind("upload", "/upload", 0.0, _upload)
CHUNKED_UPLOAD = Kind("chunked upload", "/upload", 0.0, _upload, chunked=True)
#: The server does not buffer what goes to /direct: the worker reads while the client sends.
STREAMED_UPLOAD = Kind("streamed upload", "/direct/upload", 0.16, _upload, pause=0.02)
FILE_CONTENT = pattern("a file", 2000)
FILE = Kind("file", "/file.txt", 0.0, lambda identity: ("", FILE_CONTENT, None), by_app=False)
TALK = Kind("talk", "/talk", 0.0, lambda identity: ("", pattern(identity, 200), None))
#: Asks for out-of-band work.
ASK = Kind("ask", "/ask", 0.0, lambda identity: ("", pattern(identity, 200), None))
#: Uses what the app's at_import.py has made.
USE = Kind("use", "/use", 0.0, lambda identity: ("", pattern(identity, 200), None))

#: What most cases put on the server.
MIXED = (FAST, STREAM, FAST, UPLOAD, FAST, SLOW, FAST, CHUNKED_UPLOAD, LARGE, STREAMED_UPLOAD, FAST, FAST)
