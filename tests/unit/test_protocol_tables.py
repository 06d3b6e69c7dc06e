"""The tables of tests/protocol against the Python sides: the codec, the loader, and the harness that plays httpd."""

from __future__ import annotations

import socket
from typing import Iterator

import pytest

from spawner.loaders.python.core.loader_errors import ClientLeft, InvalidResponse
from spawner.loaders.python.core.unpatched import Connection
from spawner.loaders.python.wsgi import request_body
from spawner.loaders.python.wsgi.response_head import check_head
from spawner.shared import constants, wire
from tests.conformance.harness.response_reader import BadFrame, RefusedHead, read_frame_header, read_head
from tests.conformance.harness.tables import case_id, rows

Row = list[bytes]
MESSAGES = rows("messages.tsv")
REQUEST_HEADS = rows("request_heads.tsv")
RESPONSE_HEADS = rows("response_heads.tsv")
FRAMES = rows("frames.tsv")
KEPT = b"\xff\xff\xff\xfd"  # of an end frame that only responses have
ERRORS = {b"incomplete": wire.IncompleteMessage, b"malformed": wire.MalformedMessage, b"too_long": wire.MessageTooLong}


def pairs_of(fields: Row) -> list[tuple[bytes, bytes]]:
    return list(zip(fields[::2], fields[1::2]))


# Messages


@pytest.mark.parametrize("row", [row for row in MESSAGES if row[0] == b"valid"], ids=case_id)
def test_a_valid_message_is_encoded_and_decoded(row: Row) -> None:
    _, message, *fields = row
    assert wire.encode(pairs_of(fields)) == message
    assert wire.decode(message) == pairs_of(fields)
    assert wire.encode_text(wire.decode_text(message)) == message


@pytest.mark.parametrize("row", [row for row in MESSAGES if row[0] == b"valid"], ids=case_id)
def test_a_valid_message_may_come_byte_by_byte(row: Row) -> None:
    _, message, *fields = row
    decoder = wire.Decoder(constants.CONTROL_MESSAGE_LIMIT)
    *before, last = [decoder.feed(message[index : index + 1]) for index in range(len(message))]
    assert set(map(bool, before)) <= {False}
    assert last == pairs_of(fields)


@pytest.mark.parametrize("row", [row for row in MESSAGES if row[0] != b"valid"], ids=case_id)
def test_what_is_no_message_is_refused_for_its_reason(row: Row) -> None:
    outcome, message = row
    with pytest.raises(wire.WireError) as raised:
        wire.decode(message, constants.REQUEST_HEAD_LIMIT if outcome == b"too_long" else 10**9)
    assert raised.type is ERRORS[outcome]


# Heads of requests


@pytest.mark.parametrize("row", [row for row in REQUEST_HEADS if row[0] == b"200"], ids=case_id)
def test_the_head_of_a_request_has_its_fields_as_native_strings(row: Row) -> None:
    _, head, *fields = row
    end = wire.message_end(head, constants.REQUEST_HEAD_LIMIT)
    assert end == len(head)
    assert wire.split_native(wire.payload_of(head, end)) == [each.decode("latin-1") for each in fields]


# Heads of responses


def allowed_by(row: Row) -> frozenset[str]:
    return frozenset() if row[1] == b"-" else frozenset(row[1].decode().split("+"))


@pytest.mark.parametrize("row", RESPONSE_HEADS, ids=case_id)
def test_the_harness_reads_the_head_of_a_response_as_the_module_does(row: Row) -> None:
    outcome, _, text, data = row
    if outcome == b"accepted":
        read = read_head(data, allowed_by(row))
        assert read is not None
        assert read[0].describe() == text.decode("latin-1")
    elif outcome == b"incomplete":
        assert read_head(data, allowed_by(row)) is None
    else:
        with pytest.raises(RefusedHead) as raised:
            read_head(data, allowed_by(row))
        assert raised.value.why == outcome.decode()


# A status from 600 to 999 is the app's mistake alone: the loader passes it on, and the module answers 502.
FROM_APPS = [row for row in RESPONSE_HEADS if row[1] == b"-" and not row[3].startswith(b"Status: 600")]


@pytest.mark.parametrize("row", FROM_APPS, ids=case_id)
def test_the_loader_sends_no_head_that_the_module_refuses(row: Row) -> None:
    """What the table has as bytes comes from an app as status and headers."""
    status, *lines = row[3].decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(":") for line in lines)]
    try:
        sent = check_head(status.partition(":")[2].strip(), headers).encode()
    except InvalidResponse:
        return
    assert read_head(sent) is not None


# Frames


def read_frames(data: bytes) -> tuple[bytes, bytes]:
    """Return the outcome and the body, as the table has them."""
    body = b""
    while True:
        try:
            read = read_frame_header(data)
        except BadFrame:
            return b"bad_size", body
        if read is None:
            return b"cut", body
        frame, size = read
        data = data[size:]
        if frame.kind in ("end", "kept"):
            return b"after_end" if data else b"complete", body
        if frame.kind == "failure":
            return b"failed", body
        if frame.kind == "file":
            body += b"[%d+%d]" % (frame.offset, frame.size)
        else:
            body, data = body + data[: frame.size], data[frame.size :]


@pytest.mark.parametrize("row", FRAMES, ids=case_id)
def test_the_harness_reads_frames_as_the_module_does(row: Row) -> None:
    outcome, body, data = row
    assert read_frames(data) == (outcome, body)


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, Connection]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, Connection(socket.AF_UNIX, socket.SOCK_STREAM, 0, theirs.detach())


@pytest.mark.parametrize("row", [row for row in FRAMES if KEPT not in row[2]], ids=case_id)
def test_the_loader_reads_a_framed_request_body(row: Row, connection: tuple[socket.socket, Connection]) -> None:
    """A file is not allowed there, and nothing is read behind the end frame."""
    outcome, body, data = row
    client, server = connection
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    stream = request_body.framed(server, b"")
    if outcome in (b"complete", b"after_end") and b"[" not in body:
        assert stream.read() == body
    elif outcome == b"cut" and b"[" not in body and data[:3] != b"\xff" * 3:
        with pytest.raises(ClientLeft):
            stream.read()
    else:
        with pytest.raises(OSError, match="data frame"):
            stream.read()
    server.close()
