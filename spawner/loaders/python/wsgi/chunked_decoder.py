"""The body of an app that chunks it itself (RFC 9112, section 7.1): the chunks are taken off, strictly.

PEP 3333 leaves Transfer-Encoding to the server, but apps that came from Passenger do this. Their framing is never
passed on: the client gets the server's own, so a mistake of the app cannot move the end of the response.
"""

import re
from typing import Tuple

from ..core.loader_errors import InvalidResponse

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\Z")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\Z")
_LONGEST_LINE = 4096  # bytes, with its CRLF; a chunk's size with its extensions, or a trailer
_MOST_TRAILERS = 100

_SIZE, _DATA, _DATA_END, _TRAILERS, _ENDED = range(5)


class ChunkedDecoder:
    """Takes the chunks off one body, whatever the pieces in which it comes.

    Invariants: `_line` holds the beginning of a line that is not complete, shorter than `_LONGEST_LINE`; `_left` is not
    0 only within a chunk's data. Nothing leaves `_ENDED`: what comes after it belongs to no body.
    """

    __slots__ = ("_left", "_line", "_state", "_trailers")

    def __init__(self) -> None:
        self._state = _SIZE
        self._line = b""
        self._left = 0
        self._trailers = 0

    @property
    def ended(self) -> bool:
        """Whether the last chunk and the empty line after it have come."""
        return self._state == _ENDED

    def decode(self, data: bytes) -> Tuple[bytes, int]:
        """Return the bytes of the body in `data`, and how many bytes of it come after the body's end.

        Raises InvalidResponse for what is not chunked.
        """
        parts = []
        position = 0
        while position < len(data) and self._state != _ENDED:
            if self._state == _DATA:
                part = data[position : position + self._left]
                parts.append(part)
                position += len(part)
                self._left -= len(part)
                if not self._left:
                    self._state = _DATA_END
            else:
                position = self._read_line(data, position)
        return b"".join(parts), len(data) - position

    def _read_line(self, data: bytes, position: int) -> int:
        """Read up to the end of the line, or of `data`; return the position behind it."""
        end = data.find(b"\n", position) + 1
        line = self._line + data[position : end or len(data)]
        if len(line) > _LONGEST_LINE:
            raise _malformed("a line is longer than {} bytes".format(_LONGEST_LINE))
        if not end:
            self._line = line
            return len(data)
        if not line.endswith(b"\r\n"):
            raise _malformed("a line does not end with CR LF: {!r}".format(line[:60]))
        self._line = b""
        self._take_line(line[:-2])
        return end

    def _take_line(self, line: bytes) -> None:
        if self._state == _SIZE:
            match = _SIZE_LINE.match(line)
            if match is None:
                raise _malformed("this is no size of a chunk: {!r}".format(line[:60]))
            self._left = int(match.group(1), 16)
            self._state = _DATA if self._left else _TRAILERS
        elif self._state == _DATA_END:
            if line:
                raise _malformed("a chunk is longer than its size: {!r} follows it".format(line[:60]))
            self._state = _SIZE
        elif not line:
            self._state = _ENDED
        else:
            self._trailers += 1
            if self._trailers > _MOST_TRAILERS or not _TRAILER_LINE.match(line):
                raise _malformed("this is no trailer: {!r}".format(line[:60]))


def _malformed(what: str) -> InvalidResponse:
    return InvalidResponse("the app chunks its body itself, and the chunks are malformed: " + what)
