"""The reader of requests in this process: what comes with a head that is refused is not kept."""

from __future__ import annotations

import array
import gc
import os
import socket
from pathlib import Path
from typing import Any, Iterator

import pytest

from spawner.loaders.python.core.loader_errors import BadRequest, ClientLeft, TooLate
from spawner.loaders.python.wsgi import handler, request
from spawner.loaders.python.wsgi.request import RequestReader
from spawner.shared import wire
from spawner.shared.constants import REQUEST_HEAD_LIMIT

TOKEN = "the-token"


def head(*fields: tuple[str, str]) -> bytes:
    """A whole head of these fields."""
    return wire.encode_text(fields)


LENGTH, SCGI, KNOWN = ("CONTENT_LENGTH", "3"), ("SCGI", "1"), ("JUMPSEAT_TOKEN", TOKEN)
FILE = ("JUMPSEAT_BODY", "file")
REFUSED = {
    "no netstring": b"GET / HTTP/1.1\r\n",
    "no comma at its end": head(LENGTH, SCGI, KNOWN)[:-1] + b";",
    "too long": b"%d:" % (REQUEST_HEAD_LIMIT + 1),
    "a name without a value": b"15:CONTENT_LENGTH\0,",
    "no SCGI": head(LENGTH, KNOWN),
    "no length first": head(SCGI, LENGTH, KNOWN),
    "a length twice": head(LENGTH, SCGI, KNOWN, LENGTH),
    "a wrong token": head(LENGTH, SCGI, ("JUMPSEAT_TOKEN", "another")),
    "no token": head(LENGTH, SCGI, FILE),
    "an unknown kind of body": head(LENGTH, SCGI, KNOWN, ("JUMPSEAT_BODY", "else")),
    "a length that is no number": head(("CONTENT_LENGTH", "three"), SCGI, KNOWN, ("JUMPSEAT_BODY", "inline")),
    "a length of a file that is none": head(("CONTENT_LENGTH", "-1"), SCGI, KNOWN, FILE),
    "cut": head(LENGTH, SCGI, KNOWN)[:20],
    "nothing but a byte": b"1",
}


@pytest.fixture
def reader() -> RequestReader:
    responses: Any = None
    return RequestReader(TOKEN, True, False, "Apache", responses, "", lambda: None)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    yield ends
    for end in ends:
        end.close()


def send(line: socket.socket, data: bytes, file: str = os.devnull) -> None:
    """Send bytes with one descriptor, which stays open here no longer."""
    descriptor = os.open(file, os.O_RDONLY)
    line.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
    os.close(descriptor)


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("parts", [1, 2])
def test_a_descriptor_that_came_with_a_head_that_is_refused_is_closed(
    reader: RequestReader, pair: tuple[socket.socket, socket.socket], data: bytes, parts: int
) -> None:
    ours, theirs = pair
    before = len(os.listdir("/proc/self/fd"))
    send(theirs, data if parts == 1 else data[:1])
    if parts == 2:
        theirs.send(data[1:])
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises((BadRequest, ClientLeft)):
        reader.read(ours)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_descriptor_is_closed_too_when_the_rest_of_the_head_does_not_come(
    reader: RequestReader, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request, "_HEAD_TIMEOUT", 1)
    ours, theirs = pair
    before = len(os.listdir("/proc/self/fd"))
    send(theirs, b"10")
    with pytest.raises(BadRequest, match="no request head came"):
        reader.read(ours)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_descriptor_of_a_body_is_the_body_s(
    reader: RequestReader, pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    ours, theirs = pair
    before = len(os.listdir("/proc/self/fd"))
    file = tmp_path / "body"
    file.write_bytes(b"abc")
    send(theirs, head(LENGTH, SCGI, KNOWN, FILE), str(file))
    body = reader.read(ours).environ["wsgi.input"]
    assert len(os.listdir("/proc/self/fd")) == before + 1
    body.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("error", [ClientLeft("gone"), TooLate()], ids=["left", "late"])
def test_the_body_of_a_request_that_is_not_run_is_closed(
    reader: RequestReader,
    pair: tuple[socket.socket, socket.socket],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def refuse(*_: object) -> int:
        raise error

    monkeypatch.setattr(handler, "_acknowledge", refuse)
    ours, theirs = pair
    before = len(os.listdir("/proc/self/fd"))
    file = tmp_path / "body"
    file.write_bytes(b"abc")
    send(theirs, head(LENGTH, SCGI, KNOWN, FILE), str(file))
    unused: Any = None
    gc.disable()  # a file that is left open is closed by a collection, some time
    try:
        assert not handler.handle(ours, reader, unused, unused, True, b"")
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()
