"""The table of what a hostile worker answers: its bytes and actions, what a client may see, and what httpd logs."""

from __future__ import annotations

import os
import random
import socket
import struct
import tempfile
from typing import Callable

from support.hostile_worker import (
    Answering,
    Case,
    Step,
    dribble,
    endless,
    passing,
    stay,
    stop_reading,
    stop_writing,
)

Outcome = Callable[[int, bytes, bool], bool]

OK = b"Status: 200 OK\r\n"
HEAD = OK + b"Content-Type: text/plain\r\n\r\n"
END = b"\0\0\0\0"
ACKNOWLEDGED = b"Status: 102 Processing\r\n\r\n"
PLAIN, LIMITED, PLAIN_LIMITED = "plain.example", "limited.example", "plain-limited.example"
HTTP = "http.example"
HTTP_OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = HTTP_OK + b"Transfer-Encoding: chunked\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
#: More than the module reads at once, and than sockets hold; its last byte differs from its first.
LARGE = bytes(range(251)) * 8000
GARBAGE = random.Random(1).randbytes(400)


def data(content: bytes) -> bytes:
    """A frame of data."""
    return struct.pack("!I", len(content)) + content


def file(offset: int, length: int) -> bytes:
    """A frame of a part of a file, whose descriptor goes with it."""
    return struct.pack("!IQQ", 0xFFFFFFFF, offset, length)


# -- what a client may see: called with the status (0: none), the body as far as it came, and whether that is all


def refused(status: int, body: bytes, is_whole: bool) -> bool:
    """Nothing of the answer."""
    return status == 502 and is_whole


def late(status: int, body: bytes, is_whole: bool) -> bool:
    return status == 504 and is_whole


def complete(content: bytes, expected: int = 200) -> Outcome:
    return lambda status, body, is_whole: (status, body, is_whole) == (expected, content, True)


def cut(content: bytes, instead: int = 502) -> Outcome:
    """As much of the content as came before the fault, and never as if it were all; or another answer, all of it."""

    def outcome(status: int, body: bytes, is_whole: bool) -> bool:
        if is_whole:
            return status == instead
        return status in (0, 200) and content.startswith(body)

    return outcome


def either(*outcomes: Outcome) -> Outcome:
    return lambda *seen: any(outcome(*seen) for outcome in outcomes)


#: Whose length says `abcd`: no more than that, and it may be all.
too_long = either(complete(b"abcd"), cut(b"abcd"))


# -- descriptors


def pipe_end() -> int:
    reading, writing = os.pipe()
    os.close(writing)
    return reading


def socket_end() -> int:
    one, other = socket.socketpair()
    other.close()
    return one.detach()


def special(path: str, flags: int = os.O_RDONLY) -> Callable[[], int]:
    return lambda: os.open(path, flags)


def file_of(content: bytes) -> Callable[[], int]:
    def make() -> int:
        with tempfile.TemporaryFile() as stream:
            stream.write(content)
            stream.flush()
            return os.dup(stream.fileno())

    return make


def opened_as(flags: int) -> Callable[[], int]:
    """A file of six bytes that is not open for reading."""

    def make() -> int:
        with tempfile.NamedTemporaryFile() as stream:
            stream.write(b"secret")
            stream.flush()
            return os.open(stream.name, flags)

    return make


SIX = file_of(b"sixsix")


def cut_a_file_that_is_sent(answering: Answering) -> None:
    descriptor = file_of(LARGE)()
    try:
        answering.send(HEAD)
        passing(file(0, len(LARGE)), lambda: os.dup(descriptor))(answering)
        answering.send(END)
        answering.halfway.act_in_worker(lambda: os.ftruncate(descriptor, 1000))
    finally:
        os.close(descriptor)


# -- the table


def head(name: str, *steps: Step, logged: str = "2040", host: str = "framed.example") -> Case:
    """A head that is refused."""
    return Case(name, refused, logged, steps, host)


def with_header(name: str, header: bytes) -> Case:
    """All else is as it should be."""
    return head(name, OK + header + b"\r\n\r\n" + data(b"body") + END)


HEADS = [
    head("garbage", GARBAGE, logged="204[05]"),
    head("garbage-in-lines", b"\r\n".join(GARBAGE[start : start + 20] for start in range(0, 400, 20))),
    head("nothing", logged="2045"),
    head("half-a-head", OK + b"Content-Type: te", logged="2045"),
    head("a-head-without-its-end", OK + b"A: b\r\n", stop_writing, logged="2045"),
    head("a-101-of-http", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    head("an-answer-of-http-0.9", b"<html>ok</html>", logged="2045"),
    head("empty-lines", b"\r\n\r\n\r\n"),
    head("lines-without-cr", b"Status: 200 OK\nX-Injected: a\n\nbody"),
    head("no-status-first", b"Content-Type: text/plain\r\n" + OK + b"\r\n"),
    head("status-of-two-digits", b"Status: 20 OK\r\n\r\n"),
    head("status-of-four-digits", b"Status: 2000 OK\r\n\r\n"),
    head("status-600", b"Status: 600 OK\r\n\r\n"),
    head("status-099", b"Status: 099 OK\r\n\r\n"),
    head("status-in-signs", b"Status: +200 OK\r\n\r\n"),
    head("status-with-a-line-end", b"Status: 200 a\rX-Injected: b\r\n\r\n"),
    head("status-with-a-nul", b"Status: 200 a\0b\r\n\r\n"),
    head("a-100-that-nobody-asked-for", b"Status: 100 Continue\r\n\r\n" + HEAD + END),
    head("a-101", b"Status: 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    head("a-102-that-nobody-asked-for", ACKNOWLEDGED + HEAD + END),
    head("a-103-that-injects", b"Status: 103 Early Hints\r\nLink: x\rX-Injected: a\r\n\r\n" + HEAD + END),
    head("a-103-about-the-connection", b"Status: 103 Early Hints\r\nUpgrade: x\r\n\r\n" + HEAD + END),
    with_header("name-with-a-space", b"X Y: z"),
    with_header("name-before-a-space", b"X-Y : z"),
    with_header("name-that-is-empty", b": z"),
    with_header("name-with-a-nul", b"X\0Y: z"),
    with_header("name-beyond-ascii", b"X-\xfc: z"),
    with_header("no-colon", b"X-Injected"),
    with_header("a-folded-line", b"X-Y: a\r\n X-Injected: b"),
    with_header("value-with-a-cr", b"X-Y: a\rX-Injected: b"),
    with_header("value-with-a-lf", b"X-Y: a\nX-Injected: b"),
    with_header("value-with-a-nul", b"X-Y: a\0b"),
    with_header("value-with-an-escape", b"X-Y: \x1b[2J"),
    with_header("transfer-encoding", b"Transfer-Encoding: chunked"),
    with_header("upgrade", b"Upgrade: h2c"),
    with_header("trailer", b"Trailer: X-Y"),
    with_header("length-twice", b"Content-Length: 4\r\nContent-Length: 4"),
    with_header("two-lengths", b"Content-Length: 4\r\ncontent-length: 5"),
    with_header("length-as-a-list", b"Content-Length: 4, 4"),
    with_header("length-below-zero", b"Content-Length: -1"),
    with_header("length-in-hex", b"Content-Length: 0x4"),
    with_header("length-beyond-all-numbers", b"Content-Length: 99999999999999999999"),
    with_header("chunks-said-too-late", b"A: b\r\nSend chunked: yes"),
    with_header("error-id-of-a-success", b"Error id: 01234567"),
    head("an-endless-head", OK, endless(b"X-Y: " + b"z" * 1000 + b"\r\n")),
    head("an-endless-line", OK + b"X-Y: ", endless(b"z" * 4096)),
    head("an-endless-status", b"Status: 200 ", endless(b" " * 4096)),
]


def framed(name: str, outcome: Outcome, logged: str, *steps: Step) -> Case:
    """Behind a head that is as it should be."""
    return Case(name, outcome, logged, (HEAD, *steps))


FRAMES = [
    framed("a-frame-of-2-gib", cut(b"abc"), "2046", struct.pack("!I", 0x7FFFFFFF) + b"abc"),
    framed("a-frame-of-more-than-2-gib", cut(b"abc"), "2043", data(b"abc") + struct.pack("!I", 0x80000000) + b"xxxx"),
    framed("a-frame-of-an-unknown-kind", cut(b"abc"), "2043", data(b"abc") + struct.pack("!I", 0xFFFFFFFC) + b"xxxx"),
    framed("half-a-frames-head", cut(b"abc"), "2046", data(b"abc") + b"\0\0"),
    framed("half-a-frame", cut(b"abcab"), "2046", data(b"abc") + data(b"abc")[:-1]),
    framed("no-end-frame", cut(b"abc"), "2046", data(b"abc"), stop_writing),
    framed("no-frames", cut(b"dy without frames"), "204[36]", b"a body without frames"),
    framed("garbage-for-frames", cut(b""), "204[36]", b"\xff" + GARBAGE),
    framed("bytes-behind-the-end", either(complete(b"abc"), cut(b"abc")), "2044?", data(b"abc") + END + b"more"),
    framed("two-ends", either(complete(b""), cut(b"")), "2044?", END + END),
    framed("a-second-answer", either(complete(b"abc"), cut(b"abc")), "2044?", data(b"abc") + END + HEAD + END),
    framed("a-failure-amid", cut(b"abc"), "2047", data(b"abc") + b"\xff\xff\xff\xfe0123abcd"),
    framed("a-failure-without-its-id", cut(b"abc"), "2043", data(b"abc") + b"\xff\xff\xff\xfe0123ABCD"),
    framed("many-small-frames", complete(b"x" * 300), "", data(b"x") * 300 + END),
    framed("an-end-that-stays-open", complete(b"abc"), "", data(b"abc") + END, stay),
    framed("an-end-before-reading-stops", complete(b"abc"), "", stop_reading, data(b"abc") + END),
    framed("a-body-too-large-for-sockets", complete(LARGE), "", data(LARGE) + END),
    Case("a-204-with-a-body", complete(b"", 204), "", (b"Status: 204 No Content\r\n\r\n" + data(b"abc") + END,)),
    Case("a-304-with-a-body", complete(b"", 304), "", (b"Status: 304 Not Modified\r\n\r\n" + data(b"abc") + END,)),
    Case("chunks-for-one-frame", complete(b"abc"), "", (OK + b"Send chunked: yes\r\n\r\n" + data(b"abc") + END,)),
    Case("chunks-and-cut", cut(b"abc"), "2046", (OK + b"Send chunked: yes\r\n\r\n" + data(b"abc"),)),
    Case("a-second-status", complete(b"abc"), "", (OK + b"Status: 500 No\r\n\r\n" + data(b"abc") + END,)),
    Case("too-long", too_long, "2041", (OK + b"Content-Length: 4\r\n\r\n" + data(b"abcdHTTP/1.1 200") + END,)),
    Case("too-short", cut(b"abc"), "2042", (OK + b"Content-Length: 4\r\n\r\n" + data(b"abc") + END,)),
    Case("shorter-and-cut", cut(b"abc"), "2046", (OK + b"Content-Length: 4\r\n\r\n" + data(b"abc"),)),
    Case("too-long-in-all", too_long, "2041", (OK + b"Content-Length: 4\r\n\r\n" + data(b"abcd") * 2 + END,)),
    Case(
        "a-file-longer-than-the-length",
        cut(b""),
        "2041",
        (OK + b"Content-Length: 4\r\n\r\n", passing(file(0, 6), SIX), END),
    ),
]

DESCRIPTORS = [
    framed("no-descriptor", cut(b"abc"), "2060", data(b"abc") + file(0, 6) + END),
    framed("a-pipe", cut(b""), "2061", passing(file(0, 6), pipe_end), END),
    framed("a-socket", cut(b""), "2061", passing(file(0, 6), socket_end), END),
    framed("a-folder", cut(b""), "2061", passing(file(0, 6), special("/tmp")), END),
    framed("a-device", cut(b""), "2061", passing(file(0, 6), special("/dev/zero")), END),
    framed("a-file-that-is-a-mere-path", cut(b""), "2063", passing(file(0, 6), opened_as(os.O_PATH)), END),
    framed("a-file-for-writing", cut(b""), "2063", passing(file(0, 6), opened_as(os.O_WRONLY)), END),
    framed("a-part-beyond-the-end", cut(b""), "2062", passing(file(3, 4), SIX), END),
    framed("a-part-behind-the-end", cut(b""), "2062", passing(file(1 << 40, 1), SIX), END),
    framed("a-part-beyond-all-files", cut(b""), "2043", passing(file((1 << 63) - 1, 1), SIX), END),
    framed("a-part-of-nothing", complete(b"abc"), "", passing(file(0, 0), pipe_end), data(b"abc") + END),
    framed("one-descriptor-for-two-parts", cut(b"sixsix"), "2060", passing(file(0, 6), SIX), file(0, 6) + END),
    framed("a-hundred-small-files", complete(b"six" * 100), "", *[passing(file(3, 3), SIX)] * 100, END),
    framed("descriptors-nobody-asked-for", complete(b"abc"), "", passing(data(b"abc"), *[pipe_end] * 100), END),
    framed("many-descriptors-for-one-part", complete(b"six"), "", passing(file(0, 3), *[SIX] * 100), END),
    framed("a-descriptor-behind-the-end", either(complete(b""), cut(b"")), "2044?", END, passing(b"x", pipe_end)),
    Case("a-descriptor-before-the-head", complete(b"six"), "", (passing(HEAD, SIX), file(0, 3) + END)),
    framed("a-large-file", complete(LARGE), "", passing(file(0, len(LARGE)), file_of(LARGE)), END),
    Case("a-file-cut-while-it-is-sent", cut(LARGE), "", (cut_a_file_that_is_sent,), stops_halfway=True),
    Case("a-descriptor-in-plain-scgi", complete(b"abc"), "", (HEAD, passing(b"abc", *[SIX] * 3)), PLAIN),
]

PLAIN_ANSWERS = [
    Case("plain-garbage", refused, "204[05]", (GARBAGE,), PLAIN),
    Case("plain-frames", complete(data(b"abc") + END), "", (HEAD + data(b"abc") + END,), PLAIN),
    Case("plain-too-short", cut(b"abc"), "2042", (OK + b"Content-Length: 4\r\n\r\nabc",), PLAIN),
    Case("plain-too-long", too_long, "2041", (OK + b"Content-Length: 4\r\n\r\nabcdHTTP/1.1 200 OK",), PLAIN),
    Case("plain-half-a-head", refused, "2045", (OK + b"A: ",), PLAIN),
    Case("plain-endless-head", refused, "2040", (OK, endless(b"X-Y: " + b"z" * 1000 + b"\r\n")), PLAIN),
    Case("plain-with-a-102", refused, "2040", (ACKNOWLEDGED + HEAD,), PLAIN),
]


def http_head(name: str, answer: bytes) -> Case:
    """A head of HTTP that is refused."""
    return Case(name, refused, "2040", (answer + b"\r\n\r\n4\r\nbody\r\n0\r\n\r\n",), HTTP)


def chunked(name: str, outcome: Outcome, logged: str, *steps: Step) -> Case:
    return Case(name, outcome, logged, (CHUNKS, *steps), HTTP)


HTTP_ANSWERS = [
    http_head("http-scgi-in-its-place", b"Status: 200 OK"),
    http_head("http-0.9", b"<html>ok</html>"),
    http_head("http-2", b"HTTP/2.0 200 OK"),
    http_head("http-two-lengths", HTTP_OK + b"Content-Length: 4\r\nContent-Length: 5"),
    http_head("http-length-and-chunks", HTTP_OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked"),
    http_head("http-other-coding", HTTP_OK + b"Transfer-Encoding: chunked, gzip"),
    http_head("http-coding-twice", HTTP_OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    http_head("http-coding-of-1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked"),
    http_head("http-coding-before-a-space", HTTP_OK + b"Transfer-Encoding : chunked"),
    http_head("http-a-folded-coding", HTTP_OK + b"Transfer-Encoding:\r\n chunked"),
    http_head("http-a-101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x"),
    Case("http-hints-that-inject", refused, "2040", (HINTS[:-4] + b"\rX-Injected: a\r\n\r\n",), HTTP),
    Case("http-endless-interims", refused, "2040", (endless(b"HTTP/1.1 100 Continue\r\n\r\n"),), HTTP),
    chunked("http-chunks", complete(b"abcabc"), "", b"3\r\nabc\r\n003;x=y\r\nabc\r\n0\r\nX-Injected: a\r\n\r\n"),
    chunked("http-chunk-of-a-sign", cut(b"abc"), "2048", b"3\r\nabc\r\n-1\r\n"),
    chunked("http-chunk-beyond-all-numbers", cut(b"abc"), "2048", b"3\r\nabc\r\nffffffffffffffff\r\n"),
    chunked("http-chunk-without-cr", cut(b"abc"), "2048", b"3\r\nabc\r\n3\nabc\r\n0\r\n\r\n"),
    chunked("http-chunk-that-is-longer", cut(b"abc"), "2048", b"3\r\nabcd\r\n0\r\n\r\n"),
    chunked("http-no-chunks", cut(b""), "2048", b"\x80 a body without chunks"),
    chunked("http-no-last-chunk", cut(b"abc"), "2046", b"3\r\nabc\r\n0\r\n"),
    chunked("http-a-second-answer", either(complete(b"abc"), cut(b"abc")), "2044?", b"3\r\nabc\r\n0\r\n\r\n" + CHUNKS),
    chunked("http-endless-extension", cut(b""), "2048", b"3;", endless(b"x" * 4096)),
    chunked("http-endless-trailers", cut(b"abc"), "2048", b"3\r\nabc\r\n0\r\n", endless(b"X-Injected: a\r\n")),
    Case("http-too-long", too_long, "2044?", (HTTP_OK + b"Content-Length: 4\r\n\r\nabcdHTTP/1.1 200 OK",), HTTP),
    Case("http-too-short", cut(b"abc"), "2046", (HTTP_OK + b"Content-Length: 4\r\n\r\nabc",), HTTP),
    Case("http-a-204-with-a-body", complete(b"", 204), "", (b"HTTP/1.1 204 No\r\n\r\n" + HTTP_OK + b"\r\nabc",), HTTP),
    Case(
        "http-a-304-with-a-length", complete(b"", 304), "", (b"HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\nabc",), HTTP
    ),
    Case(
        "http-too-large-for-sockets", complete(LARGE), "", (HTTP_OK + b"Content-Length: 2008000\r\n\r\n" + LARGE,), HTTP
    ),
    Case(
        "http-descriptors",
        complete(b"abc"),
        "",
        (HTTP_OK + b"Content-Length: 3\r\n\r\n", passing(b"abc", *[SIX] * 3)),
        HTTP,
    ),
    Case("http-from-a-worker", complete(b"ok"), "", (HTTP_OK + b"Content-Length: 2\r\n\r\nok",)),
    Case("http-frames-from-a-worker", complete(data(b"abc") + END), "", (HTTP_OK + b"\r\n" + data(b"abc") + END,)),
]

ACKNOWLEDGEMENTS = [
    Case("no-acknowledgement", refused, "2132", (), LIMITED),
    Case("half-an-acknowledgement", refused, "2045", (ACKNOWLEDGED[:-2],), LIMITED),
    Case("acknowledged-twice", refused, "2040", (ACKNOWLEDGED * 2 + HEAD + END,), LIMITED),
    Case("acknowledged-and-gone", refused, "2045", (ACKNOWLEDGED,), LIMITED),
    Case("a-bad-route", refused, "2040", (ACKNOWLEDGED[:-2] + b"Route: ../../../etc/pas\r\n\r\n" + HEAD,), LIMITED),
    Case("too-late-without-a-queue-time", late, "2130", (ACKNOWLEDGED + b"Status: 102 Too Late\r\n\r\n",), LIMITED),
    Case("endless-acknowledgements", refused, "2040", (endless(ACKNOWLEDGED),), LIMITED),
]

#: These last as long as PassengerMaxRequestTime.
SLOW_ANSWERS = [
    Case("silent", late, "2131", (ACKNOWLEDGED, stay), LIMITED),
    Case("silent-amid-the-head", late, "2131", (ACKNOWLEDGED + OK + b"A: b", stay), LIMITED),
    Case("a-head-in-drops", late, "2131", (ACKNOWLEDGED + OK + b"A: ", dribble(b"z")), LIMITED),
    Case("silent-amid-a-frame", cut(b"ab", 504), "2131", (ACKNOWLEDGED + HEAD + data(b"abc")[:-1], stay), LIMITED),
    Case("silent-before-the-end", cut(b"abc", 504), "2131", (ACKNOWLEDGED + HEAD + data(b"abc"), stay), LIMITED),
    Case("frames-in-drops", cut(b"x" * 200, 504), "2131", (ACKNOWLEDGED + HEAD, dribble(data(b"x"))), LIMITED),
    Case("plain-silent", late, "2131", (stay,), PLAIN_LIMITED),
    Case("plain-silent-amid-the-body", cut(b"abc", 504), "2131", (HEAD + b"abc", stay), PLAIN_LIMITED),
]

ENDLESS = framed("an-endless-body", cut(b""), "", endless(data(b"z" * 65536)))

ALL = HEADS + FRAMES + DESCRIPTORS + PLAIN_ANSWERS + HTTP_ANSWERS + ACKNOWLEDGEMENTS
CASES = {case.name: case for case in ALL}
SLOW_CASES = {case.name: case for case in SLOW_ANSWERS}
