"""As much of HPACK (RFC 7541) as a client needs that names no table entries and looks at the status only."""

from __future__ import annotations

from typing import Sequence

Fields = Sequence[tuple[str, str]]

#: The static table's entries for `:status`.
STATUSES = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
#: Appendix B, for digits.
HUFFMAN_DIGITS = {
    "00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4",
    "011011": "5", "011100": "6", "011101": "7", "011110": "8", "011111": "9",
}  # fmt: skip


def encoded(fields: Fields) -> bytes:
    """A header block: every field spelled out, none indexed, no Huffman code."""
    return b"".join(b"\0" + _spelled(name) + _spelled(value) for name, value in fields)


def _spelled(text: str) -> bytes:
    """Each character is a byte."""
    return _length(len(text)) + text.encode("latin-1")


def _length(number: int) -> bytes:
    """A number behind one bit (section 5.1)."""
    if number < 127:
        return bytes([number])
    number -= 127
    more = b""
    while number > 127:
        more += bytes([number & 127 | 128])
        number >>= 7
    return bytes([127]) + more + bytes([number])


def status_of(block: bytes) -> int:
    """The status, a response's first field, for a client that has announced a table of size 0."""
    position = 0
    while block[position] & 0xE0 == 0x20:  # the table's new size, 0
        position += 1
    if block[position] & 0x80:
        return STATUSES[block[position] & 0x7F]
    head = block[position + 1]  # behind the name's index, which fits into its byte
    value = block[position + 2 : position + 2 + (head & 0x7F)]
    return int(_digits(value) if head & 0x80 else value)


def _digits(value: bytes) -> str:
    found, bits = "", ""
    for bit in "".join(f"{byte:08b}" for byte in value):
        bits += bit
        if bits in HUFFMAN_DIGITS:
            found += HUFFMAN_DIGITS[bits]
            bits = ""
    return found
