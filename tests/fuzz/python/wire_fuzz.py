"""The codec of all messages, and of request heads. Checked: what is decoded, encoded anew, is the same; pieces of any
size give the same; a failure is one of the errors that the codec names."""

from __future__ import annotations

from tests.fuzz.python.harness import Input, fuzz, instrumented

with instrumented():
    from spawner.errors import PeerError
    from spawner.shared import wire
    from spawner.system import packets

_LIMIT = 1000


def _whole(data: bytes) -> object:
    try:
        pairs = wire.decode(data, _LIMIT)
    except wire.WireError as error:
        return type(error)
    assert wire.encode(pairs) == data
    assert wire.encode_text(wire.decode_text(data, _LIMIT)) == data
    assert packets.decode(data) == wire.decode_text(data, _LIMIT)
    assert all(b"\0" not in name + value for name, value in pairs)
    return pairs


def _in_pieces(data: bytes, sizes: Input) -> object:
    decoder = wire.Decoder(_LIMIT)
    position = 0
    try:
        while position < len(data):
            size = 1 + sizes.number() % 16
            pairs = decoder.feed(data[position : position + size])
            position += size
            if pairs is not None:
                rest = decoder.rest + data[position:]
                return wire.MalformedMessage if rest else pairs
        decoder.close()
    except wire.WireError as error:
        return type(error)
    raise AssertionError("an incomplete message was closed")


def one(data: bytes) -> None:
    """Decode it, whole and in pieces; then encode it."""
    whole = _whole(data)
    for sizes in (Input(data), Input(b"")):
        pieces = _in_pieces(data, sizes)
        # Where several things are wrong, pieces may show another one first.
        assert pieces == whole or (isinstance(pieces, type) and isinstance(whole, type)), (pieces, whole)
    try:
        packets.decode(data)
        assert isinstance(whole, list) or len(data) > _LIMIT
    except PeerError:
        assert isinstance(whole, type)
    given = Input(data)
    fields = [(given.text(20), given.text(200)) for _ in range(given.number() % 8)]
    try:
        message = wire.encode_text(fields)
    except wire.UnencodableField:
        assert any("\0" in name + value for name, value in fields)
    else:
        assert wire.decode_text(message) == fields
        head = wire.split_native(wire.payload_of(message, len(message))) if fields else []
        assert len(head) == 2 * len(fields)


if __name__ == "__main__":
    fuzz(one)
