"""The cases of tests/protocol, which the C tests read, too."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "protocol"
_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)")
_BYTES = {b"0": b"\0", b"t": b"\t", b"n": b"\n", b"r": b"\r", b"\\": b"\\"}


def rows(name: str) -> list[list[bytes]]:
    """Return the cases of a table, each as its columns."""
    lines = (FOLDER / name).read_bytes().splitlines()
    return [[_column(text) for text in line.split(b"\t")] for line in lines if line and not line.startswith(b"#")]


def case_id(row: list[bytes]) -> str:
    """Return a short name for a case."""
    return " ".join(column.decode("ascii", "backslashreplace")[:40] for column in row)


def _column(text: bytes) -> bytes:
    return b"" if text == b"(empty)" else _ESCAPE.sub(lambda found: _byte(found[1]), text)


def _byte(escape: bytes) -> bytes:
    return bytes([int(escape[1:], 16)]) if escape[:1] == b"x" else _BYTES[escape]
