"""The codec: what is encoded comes back, however it arrives; what is no message is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.shared import constants, wire

FIELD = st.binary(max_size=30).map(lambda data: data.replace(b"\0", b"x"))
PAIRS = st.lists(st.tuples(FIELD, FIELD), max_size=8)
TEXT = st.text(max_size=20).map(lambda text: text.replace("\0", "x").encode("utf-8", "replace").decode())


def test_a_message_is_a_netstring_of_terminated_fields() -> None:
    assert wire.encode([(b"a", b"b"), (b"c", b"")]) == b"7:a\0b\0c\0\0,"


def test_no_pairs_are_an_empty_netstring() -> None:
    assert (wire.encode([]), wire.decode(b"0:,")) == (b"0:,", [])


@given(PAIRS)
def test_what_is_encoded_is_decoded(pairs: list[tuple[bytes, bytes]]) -> None:
    assert wire.decode(wire.encode(pairs)) == pairs


@given(st.lists(st.tuples(TEXT, TEXT), max_size=8))
def test_text_comes_back_as_text(pairs: list[tuple[str, str]]) -> None:
    assert wire.decode_text(wire.encode_text(pairs)) == pairs


def test_bytes_that_are_no_utf_8_survive_as_text() -> None:
    path = b"/srv/\xff".decode("utf-8", "surrogateescape")
    assert wire.decode_text(wire.encode_text([("path", path)])) == [("path", path)]


@given(PAIRS, st.binary(max_size=5))
def test_a_message_fed_byte_by_byte_is_complete_at_its_last_byte_only(
    pairs: list[tuple[bytes, bytes]], behind: bytes
) -> None:
    message = wire.encode(pairs)
    decoder = wire.Decoder(10_000)
    for position in range(len(message) - 1):
        assert decoder.feed(message[position : position + 1]) is None
    assert decoder.feed(message[-1:] + behind) == pairs
    assert decoder.rest == behind


@given(PAIRS, st.data())
def test_a_message_fed_in_two_pieces_is_the_same(pairs: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    message = wire.encode(pairs)
    cut = data.draw(st.integers(0, len(message) - 1))
    decoder = wire.Decoder(10_000)
    assert decoder.feed(message[:cut]) is None
    assert decoder.feed(message[cut:]) == pairs


@pytest.mark.parametrize("pair", [(b"a\0", b"b"), (b"a", b"\0")])
def test_a_nul_in_a_field_is_refused_where_it_is_encoded(pair: tuple[bytes, bytes]) -> None:
    with pytest.raises(wire.UnencodableField):
        wire.encode([pair])


@pytest.mark.parametrize(
    "message",
    [b"x:a\0b\0,", b":a\0b\0,", b"04:a\0b\0,", b"+4:a\0b\0,", b" 4:a\0b\0,", b"-1:,", b"4:a\0b\0;", b"2:a\0,",
     b"3:a\0b,", b"4:a\0b\0,x", b"1234567890:", b"6:a\0b\0c\0,", "٤:a\0b\0,".encode()],
    ids=repr,
)  # fmt: skip
def test_what_is_no_message_is_malformed(message: bytes) -> None:
    with pytest.raises(wire.MalformedMessage):
        wire.decode(message)


@pytest.mark.parametrize("message", [b"", b"4", b"4:", b"4:a\0b\0", b"123456789"], ids=repr)
def test_a_message_that_ends_too_early_is_incomplete(message: bytes) -> None:
    with pytest.raises(wire.IncompleteMessage):
        wire.decode(message, limit=10**9)
    decoder = wire.Decoder(10**9)
    assert decoder.feed(message) is None
    with pytest.raises(wire.IncompleteMessage):
        decoder.close()


def test_a_message_beyond_the_limit_is_refused_before_it_has_come() -> None:
    with pytest.raises(wire.MessageTooLong):
        wire.Decoder(99).feed(b"100:")
    assert wire.Decoder(100).feed(b"100:") is None


def test_nothing_can_be_fed_behind_a_complete_message() -> None:
    decoder = wire.Decoder(10)
    assert decoder.feed(b"0:,") == []
    decoder.close()
    with pytest.raises(wire.WireError):
        decoder.feed(b"x")


@given(st.binary(max_size=60))
def test_any_bytes_give_a_message_or_a_typed_error(data: bytes) -> None:
    try:
        pairs = wire.decode(data)
    except wire.WireError:
        return
    assert wire.encode(pairs) == data


@given(PAIRS)
def test_a_request_head_gives_the_same_fields_as_native_strings(pairs: list[tuple[bytes, bytes]]) -> None:
    message = wire.encode(pairs)
    end = wire.message_end(message, constants.REQUEST_HEAD_LIMIT)
    assert end == len(message)
    payload = wire.payload_of(message, end)
    if payload:
        assert wire.split_native(payload) == [field.decode("latin-1") for pair in pairs for field in pair]


@pytest.mark.parametrize("payload", [b"", b"a", b"a\0", b"a\0b", b"a\0b\0c\0"], ids=repr)
def test_a_request_head_of_other_than_pairs_is_malformed(payload: bytes) -> None:
    if payload:
        with pytest.raises(wire.MalformedMessage):
            wire.split_native(payload)
    else:
        assert wire.split_native(payload) == []
