"""The table of what a hostile client sends over HTTP/1: the bytes, and what of them may reach an app.

`$HOST` stands for the virtual host. Behind each of them comes one more request, `LAST`, so that whatever a server takes
for a request of its own is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

LAST = b"GET /last HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: $HOST\r\n\r\n"


@dataclass(frozen=True, eq=False)
class HostileRequest:
    """`reaches`: the REQUEST_URI of each request that gets to the app, without `LAST`; `goes_on`: whether `LAST` gets
    there too, None where it may; `environ`: values of the app's environ, None for names that it must not have; `body`:
    that it reads."""

    name: str
    sent: bytes
    reaches: tuple[str, ...] = ()
    goes_on: bool | None = False
    environ: Mapping[str, str | None] = field(default_factory=dict)
    body: bytes = b""


def refused(name: str, sent: bytes) -> HostileRequest:
    """Nothing of it reaches an app, and the connection ends."""
    return HostileRequest(name, sent)


def taken(name: str, sent: bytes, body: bytes = b"", **environ: str | None) -> HostileRequest:
    """It is the one request that it seems to be, and the connection goes on."""
    return HostileRequest(name, sent, ("/t",), True, environ, body)


def ends(name: str, sent: bytes, body: bytes = b"", **environ: str | None) -> HostileRequest:
    """It is one request, but so odd that the connection ends."""
    return HostileRequest(name, sent, ("/t",), False, environ, body)


def maybe_ends(name: str, sent: bytes, body: bytes = b"") -> HostileRequest:
    """It is one request, and the connection may end."""
    return HostileRequest(name, sent, ("/t",), None, body=body)


def request(*lines: bytes, body: bytes = b"", method: bytes = b"GET", target: bytes = b"/t") -> bytes:
    """A request whose request line and Host are as they should be."""
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: $HOST", *lines, b"", b""]) + body


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return request(*lines, body=body, method=b"POST")


def chunked(body: bytes, *lines: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", *lines, body=body)


def with_length(length: bytes) -> bytes:
    return post(b"Content-Length:" + length, body=b"hello")


EXPECTING = b"Expect: 100-continue"
LENGTH, CHUNKS = b"Content-Length: 5", b"5\r\nhello\r\n0\r\n\r\n"
HIDDEN = b"0\r\n\r\n" + SMUGGLED
BOTH = [b"Content-Length: %d" % len(HIDDEN), b"Transfer-Encoding: chunked"]

LENGTHS = [
    ends("length-and-chunks", post(*BOTH, body=HIDDEN)),
    ends("chunks-and-length", post(*reversed(BOTH), body=HIDDEN)),
    ends("chunks-and-a-short-length", chunked(b"5\r\nhello\r\n" + HIDDEN, b"Content-Length: 3"), b"hello"),
    refused("another-encoding-and-length", post(b"Transfer-Encoding: xchunked", LENGTH, body=b"hello")),
    refused("encoding-with-a-vertical-tab", chunked(CHUNKS).replace(b": chunked", b": \x0bchunked")),
    refused("encoding-with-a-nul", chunked(CHUNKS).replace(b"chunked\r", b"chunked\0\r")),
    refused("encoding-name-before-a-space", chunked(CHUNKS).replace(b"Encoding:", b"Encoding :")),
    refused("two-encodings", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKS)),
    refused("two-encodings-in-a-list", chunked(CHUNKS).replace(b"chunked\r", b"chunked, identity\r")),
    refused("identity", post(b"Transfer-Encoding: identity", LENGTH, body=b"hello")),
    refused("encoding-behind-a-bare-lf", post(b"X-A: b\nTransfer-Encoding: chunked", body=CHUNKS)),
    refused("encoding-behind-a-bare-cr", post(b"X-A: b\rTransfer-Encoding: chunked", body=CHUNKS)),
    taken("encoding-in-capitals", chunked(CHUNKS).replace(b": chunked", b": CHUNKED"), b"hello"),
    taken("encoding-behind-a-tab", chunked(CHUNKS).replace(b": chunked", b":\tchunked"), b"hello"),
    taken("encoding-with-an-underscore", post(b"Transfer_Encoding: chunked", LENGTH, body=b"hello"), b"hello"),
    refused("two-lengths", post(LENGTH, b"Content-Length: 6", body=b"hello")),
    refused("the-same-length-twice", post(LENGTH, LENGTH, body=b"hello")),
    refused("length-as-a-list", with_length(b" 5, 5")),
    refused("length-with-a-sign", with_length(b" +5")),
    refused("length-below-zero", with_length(b" -5")),
    refused("length-in-hex", with_length(b" 0x5")),
    refused("length-with-a-letter", with_length(b" 5a")),
    refused("length-of-nothing", with_length(b"")),
    refused("length-beyond-all-numbers", with_length(b" 99999999999999999999")),
    taken("length-between-blanks", with_length(b" \t 5 \t"), b"hello"),
    taken("length-with-a-zero-before", with_length(b" 05"), b"hello"),
    taken(
        "length-with-an-underscore", post(b"Content_Length: 50", LENGTH, body=b"hello"), b"hello", CONTENT_LENGTH="5"
    ),
    HostileRequest("a-body-of-no-length", post(body=SMUGGLED), ("/t", "/smuggled"), True),
    HostileRequest(
        "a-request-behind-the-body", post(LENGTH, body=b"hello" + SMUGGLED), ("/t", "/smuggled"), True, body=b"hello"
    ),
]

CHUNKED = [
    taken("chunk-extensions", chunked(b"5;a=b\r\nhello\r\n0;c\r\n\r\n"), b"hello"),
    taken("chunk-size-with-zeros", chunked(b"00005\r\nhello\r\n000\r\n\r\n"), b"hello"),
    taken("a-trailer", chunked(b"5\r\nhello\r\n0\r\nX-Late: a\r\n\r\n"), b"hello", HTTP_X_LATE=None),
    taken("a-trailer-of-a-length", chunked(b"0\r\nContent-Length: 7\r\nX-A: b\r\n\r\n"), HTTP_X_A=None),
    refused("chunk-size-with-a-sign", chunked(b"+5\r\nhello\r\n0\r\n\r\n")),
    refused("chunk-size-below-zero", chunked(b"-5\r\nhello\r\n0\r\n\r\n")),
    refused("chunk-size-with-0x", chunked(b"0x5\r\nhello\r\n0\r\n\r\n")),
    refused("chunk-size-of-nothing", chunked(b"\r\nhello\r\n0\r\n\r\n")),
    refused("chunk-size-with-a-letter", chunked(b"5g\r\nhello\r\n0\r\n\r\n")),
    refused("chunk-size-with-a-nul", chunked(b"5\0\r\nhello\r\n0\r\n\r\n")),
    refused("chunk-size-beyond-all-numbers", chunked(b"ffffffffffffffffff\r\nhello\r\n0\r\n\r\n")),
    refused("chunk-size-of-a-wrapped-number", chunked(b"100000000000000005\r\nhello\r\n0\r\n\r\n")),
    refused("a-chunk-longer-than-its-size", chunked(b"5\r\nhello, world\r\n0\r\n\r\n")),
    refused("a-chunk-without-its-line-end", chunked(b"5\r\nhello0\r\n\r\n")),
    refused("an-endless-chunk-extension", chunked(b"5;" + b"a" * 20000 + b"\r\nhello\r\n0\r\n\r\n")),
    refused("an-endless-trailer", chunked(b"0\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n")),
]

HEADS = [
    taken("a-folded-header", request(b"X-A: b", b" c"), HTTP_X_A="b c"),
    taken("a-header-folded-with-a-tab", request(b"X-A: b", b"\tX-B: c"), HTTP_X_A="b X-B: c", HTTP_X_B=None),
    refused("a-fold-before-all-headers", b"GET /t HTTP/1.1\r\n X-A: b\r\nHost: $HOST\r\n\r\n"),
    refused("a-cr-in-a-value", request(b"X-A: b\rX-B: c")),
    refused("a-nul-in-a-value", request(b"X-A: b\0c")),
    refused("an-escape-in-a-value", request(b"X-A: \x1b[2J")),
    refused("a-del-in-a-value", request(b"X-A: \x7f")),
    refused("a-name-with-a-space", request(b"X A: b")),
    refused("a-name-before-a-space", request(b"X-A : b")),
    refused("a-name-that-is-empty", request(b": b")),
    refused("a-name-with-a-nul", request(b"X\0A: b")),
    refused("a-name-beyond-ascii", request(b"X-\xfc: b")),
    refused("a-name-with-a-slash", request(b"X/A: b")),
    refused("a-name-in-brackets", request(b"X(A): b")),
    refused("no-colon", request(b"X-A")),
    refused("101-headers", request(*[b"X-%d: a" % number for number in range(101)])),
    refused("a-header-of-9000-bytes", request(b"X-A: " + b"a" * 9000)),
    refused("two-hosts", request(b"Host: other.example")),
    refused("no-host", b"GET /t HTTP/1.1\r\nX-A: b\r\n\r\n"),
    refused("a-host-with-a-slash", b"GET /t HTTP/1.1\r\nHost: $HOST/x\r\n\r\n"),
    refused("a-host-with-a-user", b"GET /t HTTP/1.1\r\nHost: user@$HOST\r\n\r\n"),
    refused("a-host-with-a-blank", b"GET /t HTTP/1.1\r\nHost: $HOST x\r\n\r\n"),
    refused("a-host-with-an-odd-port", b"GET /t HTTP/1.1\r\nHost: $HOST:x\r\n\r\n"),
    taken("a-value-beyond-ascii", request(b"X-A: \xfc\xff"), HTTP_X_A="\xfc\xff"),
    taken("an-underscore-for-a-dash", request(b"X_Forwarded_For: evil"), HTTP_X_FORWARDED_FOR=None),
    taken("a-dot-for-a-dash", request(b"X.Forwarded.For: evil"), HTTP_X_FORWARDED_FOR=None),
    taken(
        "underscore-and-dash",
        request(b"X_Real_IP: evil", b"X-Real-IP: good", b"X_Real-IP: evil"),
        HTTP_X_REAL_IP="good",
    ),
    taken("proxy", request(b"Proxy: http://evil"), HTTP_PROXY=None),
    taken("a-remote-user", request(b"Remote-User: root", b"REMOTE_USER: root"), REMOTE_USER=None),
    taken("a-script-name", request(b"SCRIPT_NAME: /x", b"Script-Name: /x"), SCRIPT_NAME=""),
    taken("our-own-names", request(b"JUMPSEAT_TOKEN: x", b"SCGI: 2"), JUMPSEAT_TOKEN=None, HTTP_JUMPSEAT_TOKEN=None),
    taken("a-name-of-wsgi", request(b"wsgi.input: x", b"wsgi.url_scheme: x"), HTTP_WSGI_INPUT=None),
    taken("connection-names-a-header", request(b"Connection: X-A", b"X-A: b"), HTTP_CONNECTION=None),
    taken("a-header-three-times", request(*[b"X-A: b"] * 3), HTTP_X_A="b, b, b"),
    taken("an-upgrade", request(b"Upgrade: websocket", b"Connection: Upgrade"), HTTP_UPGRADE=None),
    taken("an-empty-value", request(b"X-A:"), HTTP_X_A=""),
]

LINES = [
    refused("a-line-end-without-cr", b"GET /t HTTP/1.1\nHost: $HOST\n\n"),
    refused("a-request-line-with-two-blanks", b"GET  /t HTTP/1.1\r\nHost: $HOST\r\n\r\n"),
    refused("a-request-line-with-a-tab", b"GET\t/t HTTP/1.1\r\nHost: $HOST\r\n\r\n"),
    refused("a-request-line-with-more-words", b"GET /t HTTP/1.1 x\r\nHost: $HOST\r\n\r\n"),
    refused("a-request-line-with-a-nul", b"GET /t\0 HTTP/1.1\r\nHost: $HOST\r\n\r\n"),
    refused("a-target-with-a-blank", b"GET /t x HTTP/1.1\r\nHost: $HOST\r\n\r\n"),
    refused("a-method-with-a-colon", b"GE:T /t HTTP/1.1\r\nHost: $HOST\r\n\r\n"),
    refused("http-1.10", b"GET /t HTTP/1.10\r\nHost: $HOST\r\n\r\n"),
    taken("http-2-as-http-1", b"GET /t HTTP/2.0\r\nHost: $HOST\r\n\r\n"),
    refused("no-http", b"GET /t FTP/1.1\r\nHost: $HOST\r\n\r\n"),
    refused("a-binary-greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 + b"\r\n\r\n"),
    refused("a-request-line-of-9000-bytes", request(target=b"/" + b"a" * 9000)),
    taken("a-line-end-before-the-request", b"\r\n" + request()),
    taken("a-method-in-small-letters", request(method=b"get"), REQUEST_METHOD="get"),
    taken("a-method-of-its-own", request(method=b"BREW"), REQUEST_METHOD="BREW"),
]


#: Over any protocol: a name, the target, and the path that the app gets (None: it is refused).
TARGETS: list[tuple[str, bytes, str | None]] = [
    ("an-encoded-slash", b"/a%2fb", None),
    ("an-encoded-slash-in-capitals", b"/a%2Fb", None),
    ("an-encoded-nul", b"/a%00b", None),
    ("a-percent-sign-alone", b"/a%", None),
    ("a-percent-sign-before-letters", b"/a%zzb", None),
    ("up-beyond-the-root", b"/../../etc/passwd", None),
    ("up-beyond-the-root-encoded", b"/%2e%2e/%2e%2e/etc/passwd", None),
    ("up-beyond-the-root-half-encoded", b"/.%2e/.%2e/etc/passwd", None),
    ("a-way-up", b"/a/../b", "/b"),
    ("a-way-up-encoded", b"/a/%2e%2e/b", "/b"),
    ("a-dot", b"/a/./b", "/a/b"),
    ("slashes", b"/a///b", "/a/b"),
    ("slashes-at-the-begin", b"//a", "/a"),
    ("dots-that-are-a-name", b"/a/.../b", "/a/.../b"),
    ("a-backslash", b"/a%5c..%5cb", "/a\\..\\b"),
    ("encoded-twice", b"/a%252fb", "/a%2fb"),
    ("an-overlong-encoding", b"/a%c0%afb", "/a\xc0\xafb"),
    ("bytes-beyond-ascii", b"/a\xfcb", "/a\xfcb"),
    ("a-line-end-encoded", b"/a%0d%0aX-Injected:%20b", "/a\r\nX-Injected: b"),
    ("a-semicolon", b"/a;b=c/d", "/a;b=c/d"),
    ("a-question-mark-twice", b"/a?b?c", "/a"),
    ("a-dot-behind-the-query", b"/a?../b", "/a"),
    ("a-fragment", b"/a#b", None),
    ("another-scheme", b"ftp://$HOST/a", None),
    ("no-slash", b"a/b", None),
]


def target(name: str, sent: bytes, path_info: str | None) -> HostileRequest:
    """A refused one may end the connection."""
    if path_info is None:
        return HostileRequest(name, request(target=sent), goes_on=None)
    return HostileRequest(name, request(target=sent), (sent.decode("latin-1"),), True, {"PATH_INFO": path_info})


PATHS = [
    *(target(*each) for each in TARGETS),
    HostileRequest("a-target-with-a-host", request(target=b"http://$HOST/a?b"), ("/a?b",), True, {"PATH_INFO": "/a"}),
    HostileRequest("a-tunnel", request(target=b"$HOST:22", method=b"CONNECT"), goes_on=True),
    HostileRequest("trace", request(method=b"TRACE"), goes_on=True),
    HostileRequest("asterisk", request(target=b"*")),
]

RANGES = b",".join(b"%d-" % number for number in range(900))

OTHERS = [
    taken("a-range", request(b"Range: bytes=0-1"), HTTP_RANGE="bytes=0-1"),
    taken("many-ranges", request(b"Range: bytes=" + RANGES)),
    taken("a-range-of-nothing", request(b"Range: bytes=-")),
    taken("a-range-beyond-all-numbers", request(b"Range: bytes=99999999999999999999-")),
    taken("a-range-with-a-condition", request(b"Range: bytes=1-", b'If-Range: "x"')),
    refused("an-expectation-of-another-kind", post(b"Expect: 200-ok", LENGTH, body=b"hello")),
    maybe_ends("an-expectation-whose-body-comes", post(EXPECTING, LENGTH, body=b"hello"), b"hello"),
    maybe_ends("an-expectation-without-a-body", request(EXPECTING)),
    maybe_ends("an-expectation-before-chunks", chunked(CHUNKS, EXPECTING), b"hello"),
]

#: The server waits for more until its Timeout is over, then the client gets no answer of an app.
UNFINISHED = [
    HostileRequest("half-a-head", request()[:-2]),
    HostileRequest("half-a-request-line", b"GET /t HTT"),
    HostileRequest("half-a-body", post(b"Content-Length: 500", body=b"hello")),
    HostileRequest("half-a-chunk", chunked(b"500\r\nhello")),
    HostileRequest("no-last-chunk", chunked(b"5\r\nhello\r\n")),
    HostileRequest("half-a-trailer", chunked(b"5\r\nhello\r\n0\r\nX-A")),
]

REQUESTS = {each.name: each for each in LENGTHS + CHUNKED + HEADS + LINES + PATHS + OTHERS}
