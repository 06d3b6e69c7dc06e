"""The table of what a hostile client sends over HTTP/2: requests that are none, and frames that belong nowhere."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Mapping, Sequence

from support.hostile_requests import TARGETS
from support.hpack import Fields, encoded
from support.http2 import (
    ACKNOWLEDGE,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)

PRIORITY, PUSH_PROMISE, CONTINUATION = 2, 5, 9
PADDED, WITH_PRIORITY = 8, 32
#: The stream of a hostile request, and the one of the normal request that follows on the same connection.
STREAM, NEXT_STREAM = 1, 1001
HOST = "$HOST"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass(frozen=True, eq=False)
class HostileStream:
    """A request: its fields, its body in frames, the fields behind the body. `reaches`: the REQUEST_URI that gets to
    the app; None: none does. `environ` and `body`: what the app sees, None for names that it must not have.
    `begins`: what announces its own end is complete before the fault comes, and may be answered until then.
    """

    name: str
    fields: Fields
    frames: Sequence[bytes] = ()
    trailers: Fields = ()
    reaches: str | None = None
    environ: Mapping[str, str | None] = field(default_factory=dict)
    body: bytes = b""
    begins: bool = False

    def sent(self, host: str) -> bytes:
        fields = [(name, value.replace(HOST, host)) for name, value in self.fields]
        parts = [frame(DATA, 0, STREAM, content) for content in self.frames]
        if self.trailers:
            parts.append(frame(HEADERS, END_HEADERS | END_STREAM, STREAM, encoded(self.trailers)))
        elif self.frames:
            parts.append(frame(DATA, END_STREAM, STREAM, b""))
        return headers(encoded(fields), END_HEADERS | (0 if parts else END_STREAM)) + b"".join(parts)


def headers(block: bytes, flags: int = END_HEADERS | END_STREAM, stream: int = STREAM) -> bytes:
    """The frame, and as many more as a block of that size needs."""
    first, rest = block[:16000], [block[start : start + 16000] for start in range(16000, len(block), 16000)]
    if not rest:
        return frame(HEADERS, flags, stream, first)
    parts = [frame(HEADERS, flags & ~END_HEADERS, stream, first)]
    parts += [frame(CONTINUATION, 0, stream, part) for part in rest[:-1]]
    return b"".join([*parts, frame(CONTINUATION, END_HEADERS, stream, rest[-1])])


def pseudo(method: str = "GET", path: str = "/t", scheme: str = "http", authority: str = HOST) -> list[tuple[str, str]]:
    return [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)]


def without(name: str) -> list[tuple[str, str]]:
    return [each for each in pseudo() if each[0] != name]


def refused(name: str, *fields: tuple[str, str], first: Fields | None = None) -> HostileStream:
    """With a body, which would be a request of its own if somebody took it for one."""
    return HostileStream(name, [*(pseudo() if first is None else first), *fields], [SMUGGLED])


def taken(name: str, *fields: tuple[str, str], first: Fields | None = None, **environ: str | None) -> HostileStream:
    return HostileStream(
        name, [*(pseudo() if first is None else first), *fields], [SMUGGLED], (), "/t", environ, SMUGGLED
    )


def posted(name: str, frames: Sequence[bytes], *fields: tuple[str, str], trailers: Fields = ()) -> HostileStream:
    """It is refused."""
    return HostileStream(name, [*pseudo("POST"), *fields], frames, trailers)


def overlong(name: str, length: str, body: bytes) -> HostileStream:
    """It is refused when the first byte beyond the length comes."""
    fields = [*pseudo("POST"), ("content-length", length)]
    return HostileStream(name, fields, [b"abcdefg"], body=body, begins=True)


NAMES = [
    refused("a-name-in-capitals", ("X-A", "b")),
    refused("a-name-that-is-empty", ("", "b")),
    refused("a-name-with-a-blank", ("x a", "b")),
    refused("a-name-with-a-colon", ("x:a", "b")),
    refused("a-name-with-a-line-end", ("x-a\r\nx-injected", "b")),
    refused("a-name-with-a-nul", ("x\0a", "b")),
    refused("a-name-beyond-ascii", ("x-\xfc", "b")),
    refused("a-value-with-a-line-end", ("x-a", "b\r\nx-injected: c")),
    refused("a-value-with-a-request", ("x-a", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")),
    refused("a-value-with-a-lf", ("x-a", "b\nx-injected: c")),
    refused("a-value-with-a-cr", ("x-a", "b\rx-injected: c")),
    refused("a-value-with-a-nul", ("x-a", "b\0c")),
    refused("an-escape-in-a-value", ("x-a", "\x1b[2J")),
    refused("connection", ("connection", "x-a")),
    refused("keep-alive", ("keep-alive", "timeout=5")),
    refused("proxy-connection", ("proxy-connection", "close")),
    refused("transfer-encoding", ("transfer-encoding", "chunked")),
    refused("upgrade", ("upgrade", "websocket")),
    refused("te", ("te", "gzip")),
    refused("101-headers", *[(f"x-{number}", "a") for number in range(120)]),
    refused("a-header-of-9000-bytes", ("x-a", "a" * 9000)),
    refused("a-header-of-100000-bytes", ("x-a", "a" * 100000)),
    taken("te-trailers", ("te", "trailers")),
    taken("a-value-beyond-ascii", ("x-a", "\xfc\xff"), HTTP_X_A="\xfc\xff"),
    taken("an-underscore-for-a-dash", ("x_forwarded_for", "evil"), HTTP_X_FORWARDED_FOR=None),
    taken("underscore-and-dash", ("x_real_ip", "evil"), ("x-real-ip", "good"), HTTP_X_REAL_IP="good"),
    taken("proxy", ("proxy", "http://evil"), HTTP_PROXY=None),
    taken("our-own-names", ("jumpseat_token", "x"), ("scgi", "2"), JUMPSEAT_TOKEN=None),
    taken("cookies-in-crumbs", ("cookie", "a=1"), ("cookie", "b=2"), HTTP_COOKIE="a=1; b=2"),
    taken("a-header-three-times", *[("x-a", "b")] * 3, HTTP_X_A="b, b, b"),
]

PSEUDO = [
    refused("no-method", first=without(":method")),
    refused("no-path", first=without(":path")),
    refused("no-scheme", first=without(":scheme")),
    refused("no-authority-and-no-host", first=without(":authority")),
    refused("two-methods", first=[(":method", "GET"), *pseudo()]),
    refused("two-paths", first=[(":path", "/x"), *pseudo()]),
    refused("two-authorities", first=[(":authority", "x"), *pseudo()]),
    refused("a-status", first=[(":status", "200"), *pseudo()]),
    refused("an-unknown-one", first=[(":x", "y"), *pseudo()]),
    refused("one-behind-a-header", ("x-a", "b"), (":path", "/x")),
    refused("a-method-with-a-request", first=pseudo("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\nGET")),
    refused("a-method-with-a-blank", first=pseudo("GET /smuggled")),
    refused("a-path-that-is-empty", first=pseudo(path="")),
    refused("a-path-with-a-blank", first=pseudo(path="/t HTTP/1.1")),
    refused("a-path-with-a-line-end", first=pseudo(path="/t HTTP/1.1\r\nX-Injected: a\r\n\r\n")),
    refused("a-path-with-a-nul", first=pseudo(path="/t\0")),
    refused("a-path-of-9000-bytes", first=pseudo(path="/" + "a" * 9000)),
    refused("an-authority-with-a-line-end", first=pseudo(authority=HOST + "\r\nX-Injected: a")),
    refused("an-authority-with-a-slash", first=pseudo(authority=HOST + "/x")),
    refused("an-authority-with-a-blank", first=pseudo(authority=HOST + " x")),
    refused("connect", first=[(":method", "CONNECT"), (":authority", HOST)]),
    refused("connect-to-a-protocol", first=[(":protocol", "websocket"), *pseudo("CONNECT")]),
    refused("trace", first=pseudo("TRACE")),
    taken("a-host-beside-the-authority", ("host", "evil.example")),
    taken("a-method-in-small-letters", first=pseudo("get"), REQUEST_METHOD="get"),
]

#: When mod_http2 of httpd 2.4.71 resets a request in its body, it sometimes crashes: without our module as well.
BODIES = [
    posted("less-than-its-length", [b"abc"], ("content-length", "5")),
    overlong("more-than-its-length", "5", b"abcde"),
    overlong("more-than-nothing", "0", b""),
    posted("two-lengths", [b"abc"], ("content-length", "3"), ("content-length", "4")),
    posted("length-with-a-sign", [b"abc"], ("content-length", "+3")),
    posted("length-beyond-all-numbers", [b"abc"], ("content-length", "99999999999999999999")),
    posted("a-length-without-a-body", [], ("content-length", "5")),
    posted("pseudo-fields-behind-the-body", [b"abc"], trailers=[(":path", "/x")]),
    posted("a-bad-name-behind-the-body", [b"abc"], trailers=[("X-A", "b")]),
    HostileStream(
        "fields-behind-the-body",
        pseudo("POST"),
        [b"abc"],
        [("x-late", "a")],
        "/t",
        {"HTTP_X_LATE": None},
        b"abc",
    ),
    HostileStream("empty-frames", pseudo("POST"), [b"", b"a", b"", b"bc"], (), "/t", {}, b"abc"),
]


def _of_target(name: str, target: bytes, path_info: str | None) -> HostileStream:
    text = target.decode("latin-1")
    reaches, environ = (text, {"PATH_INFO": path_info}) if path_info is not None else (None, {})
    return HostileStream(name, pseudo(path=text), (), (), reaches, environ)


STREAMS = {each.name: each for each in [*NAMES, *PSEUDO, *BODIES, *(_of_target(*each) for each in TARGETS)]}


# -- frames: what is sent, and whether the connection may go on


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, struct.pack(">HI", name, value))


def number(value: int) -> bytes:
    return struct.pack(">I", value)


_BLOCK = encoded([(name, value.replace(HOST, "site.example")) for name, value in pseudo()])
_OPEN = headers(_BLOCK, END_HEADERS)
_WHOLE = headers(_BLOCK)

#: By name: the frames. A server may end the connection for each of them, but nothing else.
FRAMES: dict[str, bytes] = {
    "data-on-no-stream": frame(DATA, 0, 0, b"abc"),
    "data-on-an-idle-stream": frame(DATA, 0, STREAM, b"abc"),
    "data-behind-the-end": _WHOLE + frame(DATA, END_STREAM, STREAM, b"abc"),
    "headers-on-no-stream": headers(_BLOCK, stream=0),
    "headers-on-a-stream-of-the-server": headers(_BLOCK, stream=2),
    "headers-on-an-older-stream": headers(_BLOCK, stream=5) + headers(_BLOCK, stream=3),
    "headers-twice": _OPEN + headers(_BLOCK, END_HEADERS),
    "headers-that-depend-on-themselves": frame(
        HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, STREAM, number(STREAM) + b"\0" + _BLOCK
    ),
    "headers-amid-headers": frame(HEADERS, 0, STREAM, _BLOCK) + headers(_BLOCK, stream=3),
    "a-ping-amid-headers": frame(HEADERS, 0, STREAM, _BLOCK) + frame(PING, 0, 0, bytes(8)),
    "a-continuation-of-nothing": frame(CONTINUATION, END_HEADERS, STREAM, _BLOCK),
    "continuations-without-end": frame(HEADERS, 0, STREAM, _BLOCK) + frame(CONTINUATION, 0, STREAM, b"") * 3000,
    "long-continuations": frame(HEADERS, 0, STREAM, _BLOCK)
    + frame(CONTINUATION, 0, STREAM, encoded([("x-a", "b" * 8000)])) * 100,
    "an-unknown-entry-of-the-table": headers(b"\xff\x80\x01"),
    "a-table-beyond-all-memory": headers(b"\x3f\xff\xff\xff\xff\x0f" + _BLOCK),
    "a-number-without-end": headers(b"\xff" + b"\xff" * 100),
    "a-field-longer-than-its-block": headers(_BLOCK + b"\0\x7f\xff\xff\x03abc"),
    "a-huffman-code-without-end": headers(_BLOCK + b"\0\x84\xff\xff\xff\xff\x01b"),
    "a-large-field-from-the-table-often": headers(
        _BLOCK + b"\x40" + encoded([("x-a", "b" * 3000)])[1:] + b"\xbe" * 9000
    ),
    "padding-longer-than-the-frame": _OPEN + frame(DATA, PADDED, STREAM, b"\xffabc"),
    "a-frame-that-is-too-large": _OPEN + frame(DATA, 0, STREAM, bytes(20000)),
    "a-frame-that-announces-16-mib": b"\xff\xff\xff" + bytes([DATA, 0]) + number(STREAM),
    "a-promise": frame(PUSH_PROMISE, END_HEADERS, STREAM, number(2) + _BLOCK),
    "a-window-of-nothing": frame(WINDOW_UPDATE, 0, 0, number(0)),
    "a-window-beyond-all-numbers": frame(WINDOW_UPDATE, 0, 0, number(0x7FFFFFFF)) * 2,
    "a-window-of-an-idle-stream": frame(WINDOW_UPDATE, 0, 7, number(1)),
    "a-setting-of-a-window-too-large": setting(4, 0x80000000),
    "a-setting-of-a-small-frame": setting(5, 1),
    "settings-cut-amid-one": frame(SETTINGS, 0, 0, b"\0\1\0"),
    "settings-acknowledged-with-content": frame(SETTINGS, ACKNOWLEDGE, 0, b"\0\1\0\0\0\0"),
    "settings-on-a-stream": frame(SETTINGS, 0, STREAM, b""),
    "many-settings": setting(1, 0) * 3000,
    "many-pings": frame(PING, 0, 0, bytes(8)) * 3000,
    "many-priorities": frame(PRIORITY, 0, STREAM, number(0) + b"\1") * 3000,
    "many-empty-frames": _OPEN + frame(DATA, 0, STREAM, b"") * 3000,
    "a-short-ping": frame(PING, 0, 0, b"abc"),
    "a-reset-of-an-idle-stream": frame(RST_STREAM, 0, STREAM, number(8)),
    "a-reset-of-no-stream": frame(RST_STREAM, 0, 0, number(8)),
    "a-farewell-before-a-request": frame(GOAWAY, 0, 0, number(0) * 2) + _WHOLE,
    "frames-of-unknown-kinds": b"".join(frame(kind, 255, 0, b"abc") for kind in range(20, 200)),
    "a-request-of-http-1": b"GET /smuggled HTTP/1.1\r\nHost: site.example\r\n\r\n",
    "garbage": bytes(range(255, 0, -1)) * 4,
    "many-requests-that-are-reset": b"".join(
        headers(_BLOCK, stream=stream) + frame(RST_STREAM, 0, stream, number(8)) for stream in range(1, 601, 2)
    ),
    "many-requests-with-a-reset-amid-the-body": b"".join(
        headers(_BLOCK, END_HEADERS, stream) + frame(DATA, 0, stream, b"abc") + frame(RST_STREAM, 0, stream, number(8))
        for stream in range(1, 601, 2)
    ),
}
