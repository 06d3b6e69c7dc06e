"""Reads responses as strictly as the module in httpd does (apache_module/src/core/response_head.c and frames.c).

Both readers are held to tests/protocol. Bytes in, plain data out; no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HEAD_LIMIT = 256 * 1024
_END = b"\0\0\0\0"
_FILE = 0xFFFFFFFF
_FAILURE = 0xFFFFFFFE
_KEPT = 0xFFFFFFFD
_LARGEST_DATA = 0x7FFFFFFF
_LARGEST_FILE = (1 << 63) - 1
_STATUS = re.compile(rb"[2-5][0-9][0-9](?: [^\x00-\x08\x0a-\x1f\x7f]*)?\Z")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ROUTE = re.compile(rb"[0-9a-f]{16}\Z")
_ERROR_ID = re.compile(rb"Error id: ([0-9a-f]{8})\Z")
_FORBIDDEN = (b"transfer-encoding", b"upgrade", b"trailer", b"te")
_DROPPED = ("connection", "keep-alive", "status")
BLANKS = " \t"
_HINTS = re.compile(rb"103(?: |\Z)")
_MOST_HINTS = 16
_INTERIMS = {b"100 Continue": "continue", b"102 Processing": "acknowledge", b"102 Too Late": "too late"}


class RefusedHead(AssertionError):
    """The module would answer 502. `why`: an outcome of tests/protocol/response_heads.tsv."""

    def __init__(self, why: str, line: bytes) -> None:
        super().__init__(f"{why}: {line!r}")
        self.why = why


@dataclass
class Head:
    """What a head says, with spaces and headers that the module would not pass on.

    `interims`: the interim heads before it, an acknowledgement with its route, hints with their headers.
    """

    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    error_id: str = ""
    asks_for_chunks: bool = False
    length: int | None = None
    interims: list[str] = field(default_factory=list)

    def describe(self) -> str:
        """Return it as the table has it: what the module passes on."""
        parts = [self.status.strip(), *self.described_headers()]
        parts += [f"error id {self.error_id}"] * bool(self.error_id)
        parts += ["chunked"] * self.asks_for_chunks
        parts += [f"length={self.length}"] * (self.length is not None)
        return "".join(f"{interim} " for interim in self.interims) + "|".join(parts)

    def described_headers(self) -> list[str]:
        """Return the headers that the module passes on."""
        kept = [(name, value) for name, value in self.headers if name.lower() not in _DROPPED]
        return [f"{name}={value.strip(BLANKS)}" for name, value in kept]


def read_head(data: bytes, allowed: frozenset[str] = frozenset()) -> tuple[Head, bytes] | None:
    """Return the head and the bytes behind it; None: more bytes have to come. Raises RefusedHead.

    :param allowed: the interim heads that the request allows besides hints: `continue`, `acknowledge`.
    """
    head, allowed = Head(), frozenset(allowed)
    while True:
        lines = _lines(data)
        if lines is None:
            return None
        rest = data[sum(len(line) + 2 for line in lines) + 2 :]
        interim = _interim(lines, allowed)
        if interim is None:
            _read_final(head, lines)
            return head, rest
        kind, text = interim
        head.interims.append(text)
        if sum(other.startswith("hints") for other in head.interims) > _MOST_HINTS:
            raise RefusedHead("bad_interim", lines[0])
        allowed = (allowed - {kind, "acknowledge", "too late"}) | ({"too late"} if kind == "acknowledge" else set())
        data = rest


def _lines(data: bytes) -> list[bytes] | None:
    """Return the lines of the first head, without the empty one; None: it is not complete."""
    lines: list[bytes] = []
    position = 0
    while True:
        end = data.find(b"\n", position)
        if (len(data) if end < 0 else end + 1) > HEAD_LIMIT:
            raise RefusedHead("too_long", b"")
        if end < 0:
            return None
        line = data[position:end]
        if line[-1:] != b"\r":
            _check_complete_lines(lines)
            raise RefusedHead("bad_line_end", line)
        if line == b"\r" and lines:
            return lines
        lines.append(line[:-1])
        if line == b"\r":
            raise RefusedHead("no_status", b"")
        position = end + 1


def _check_complete_lines(lines: list[bytes]) -> None:
    """The reason that comes first counts."""
    if lines and not lines[0].lower().startswith(b"status:"):
        raise RefusedHead("no_status", lines[0])


def _interim(lines: list[bytes], allowed: frozenset[str]) -> tuple[str, str] | None:
    """Return kind and text of an allowed interim head."""
    if not lines[0].lower().startswith(b"status:"):
        raise RefusedHead("no_status", lines[0])
    status = lines[0][7:].strip(b" \t")
    if _HINTS.match(status) and not _CONTROL.search(status):
        return "hints", _hints(lines[1:])
    kind = _INTERIMS.get(status, "")
    if kind not in allowed:
        return None
    route = b""
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        route = value.strip(b" \t")
        if kind != "acknowledge" or name.lower() != b"route" or not _ROUTE.match(route):
            raise RefusedHead("bad_interim", line)
    return kind, f"acknowledged:{route.decode()}" if kind == "acknowledge" else kind


def _hints(lines: list[bytes]) -> str:
    hints = Head()
    for line in lines:
        _read_header(hints, line)
    return "|".join(["hints", *hints.described_headers()])


def _read_final(head: Head, lines: list[bytes]) -> None:
    status = lines[0][7:].strip(b" \t")
    if not _STATUS.match(status):
        raise RefusedHead("bad_status", status)
    head.status = _without_first_space(lines[0][7:])
    rest = lines[1:]
    error_id = _ERROR_ID.match(rest[0]) if rest and status >= b"4" else None
    if error_id is not None:
        head.error_id = error_id[1].decode()
        rest = rest[1:]
    elif rest[:1] == [b"Send chunked: yes"]:
        head.asks_for_chunks = True
        rest = rest[1:]
    for line in rest:
        _read_header(head, line)


def _read_header(head: Head, line: bytes) -> None:
    name, colon, raw_value = line.partition(b":")
    value = raw_value.strip(b" \t")
    if not colon or not _TOKEN.match(name):
        raise RefusedHead("bad_name", name)
    if _CONTROL.search(value):
        raise RefusedHead("bad_value", name)
    lower = name.lower()
    if lower in _FORBIDDEN or lower.startswith(b"proxy-"):
        raise RefusedHead("forbidden", name)
    if lower == b"content-length":
        if head.length is not None:
            raise RefusedHead("second_length", name)
        if not re.fullmatch(rb"[0-9]{1,18}", value):
            raise RefusedHead("bad_length", value)
        head.length = int(value)
    head.headers.append((name.decode("latin-1"), _without_first_space(raw_value)))


def _without_first_space(text: bytes) -> str:
    return text[text[:1] == b" " :].decode("latin-1")


@dataclass
class Frame:
    """`kind`: data, file, end, kept (an end behind which the connection is kept) or failure; `size`: bytes of body;
    `offset`: of a file's; `error_id`: of a failure; `slot`: of the worker that keeps the connection.
    """

    kind: str
    size: int = 0
    offset: int = 0
    error_id: str = ""
    slot: int = -1


class BadFrame(AssertionError):
    """A frame with a size that none may have."""


def read_frame_header(data: bytes) -> tuple[Frame, int] | None:
    """Return what a frame's header says and how many bytes it has; None: more have to come. Raises BadFrame."""
    if len(data) < 4:
        return None
    size = int.from_bytes(data[:4], "big")
    if size == 0:
        return Frame("end"), 4
    if size <= _LARGEST_DATA:
        return Frame("data", size), 4
    if size == _FAILURE:
        return _failure(data)
    if size == _KEPT:
        return (Frame("kept", slot=int.from_bytes(data[4:8], "big")), 8) if len(data) >= 8 else None
    if size != _FILE:
        raise BadFrame(f"a frame of size {size:#x}")
    if len(data) < 20:
        return None
    offset, length = int.from_bytes(data[4:12], "big"), int.from_bytes(data[12:20], "big")
    if offset + length > _LARGEST_FILE:
        raise BadFrame(f"a file frame of {length} bytes from {offset}")
    return Frame("file", length, offset), 20


def _failure(data: bytes) -> tuple[Frame, int] | None:
    if len(data) < 12:
        return None
    if not re.fullmatch(rb"[0-9a-f]{8}", data[4:12]):
        raise BadFrame(f"an error id {data[4:12]!r}")
    return Frame("failure", error_id=data[4:12].decode()), 12
