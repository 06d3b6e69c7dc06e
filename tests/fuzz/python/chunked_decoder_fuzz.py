"""Bodies that an app has chunked itself. Checked: pieces of any size give the same body or are all refused; what it
accepts is what a simple reader of the grammar accepts; no more is held than a line."""

from __future__ import annotations

import re
from typing import Optional

from tests.fuzz.python.harness import Input, fuzz, instrumented

with instrumented():
    from spawner.loaders.python.core.loader_errors import InvalidResponse
    from spawner.loaders.python.wsgi.chunked_decoder import ChunkedDecoder

_LONGEST_HELD = 4096
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?")


def _decoded(data: bytes, sizes: Optional[Input]) -> Optional[tuple[bytes, bytes, bool]]:
    """The body, what comes behind it, and whether it has ended; None: refused."""
    decoder, body, position = ChunkedDecoder(), b"", 0
    try:
        while position < len(data) and not decoder.ended:
            size = 1 + sizes.number() % 8 if sizes else len(data)
            piece = data[position : position + size]
            position += len(piece)
            part, rest = decoder.decode(piece)
            body += part
            position -= rest
            assert len(decoder._line) <= _LONGEST_HELD
            assert decoder.ended or not rest
    except InvalidResponse:
        return None
    return body, data[position:], decoder.ended


def _simply(data: bytes) -> Optional[tuple[bytes, bytes]]:
    """The body of what is chunked from its first byte on, and what follows the last chunk; None: it is not."""
    body = b""
    while True:
        line, separator, data = data.partition(b"\r\n")
        if not separator or not _SIZE.fullmatch(line) or b"\n" in line or len(line) > 4000:
            return None
        size = int(re.split(rb"[ \t;]", line)[0], 16)
        if size == 0:
            return body, data
        if data[size : size + 2] != b"\r\n":
            return None
        body, data = body + data[:size], data[size + 2 :]


def one(data: bytes) -> None:
    """As it is; then the same bytes in chunks, which must come out again."""
    whole = _decoded(data, None)
    assert whole == _decoded(data, Input(data))
    assert whole == _decoded(data, Input(b""))
    plain = _simply(data)
    if plain is not None and plain[1] == b"\r\n":
        assert whole == (plain[0], b"", True)
    if whole is not None and whole[2]:
        assert plain is not None
        assert plain[0] == whole[0]
    given, chunked, rest = Input(data), b"", data
    while rest:
        size = 1 + given.number()
        chunked += b"%x;x=y\r\n%s\r\n" % (len(rest[:size]), rest[:size])
        rest = rest[size:]
    assert _decoded(chunked + b"0\r\nA: b\r\n\r\nbehind", Input(data)) == (data, b"behind", True)


if __name__ == "__main__":
    fuzz(one)
