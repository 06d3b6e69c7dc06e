"""Which requests the spawner can answer: of SCGI and of HTTP, in whatever pieces they come."""

from __future__ import annotations

import pytest

from spawner.pages.request_head import RequestHeadDecoder, is_of_http
from spawner.shared import constants, wire

HTTP = b"HEAD /a?b HTTP/1.1\r\nHost: site\r\naccept: text/html\r\nContent-Type: a/b\r\n\r\n"
SCGI = wire.encode([(b"REQUEST_METHOD", b"GET"), (b"HTTP_ACCEPT", b"a/b")])


def fed(data: bytes, size: int) -> dict[bytes, bytes] | None:
    decoder, head = RequestHeadDecoder(), None
    for start in range(0, len(data), size):
        head = decoder.feed(data[start : start + size])
    return head


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_head_of_http_is_read_in_pieces_of_any_size(size: int) -> None:
    head = fed(HTTP, size)
    assert head is not None
    assert is_of_http(head)
    names = (b"REQUEST_METHOD", b"HTTP_HOST", b"HTTP_ACCEPT", b"CONTENT_TYPE")
    assert [head[name] for name in names] == [b"HEAD", b"site", b"text/html", b"a/b"]
    assert fed(HTTP[:-1], size) is None


@pytest.mark.parametrize("size", [1, 1000])
def test_a_head_of_scgi_is_read_as_before(size: int) -> None:
    head = fed(SCGI, size)
    assert head == {b"REQUEST_METHOD": b"GET", b"HTTP_ACCEPT": b"a/b"}
    assert not is_of_http(head)


def test_a_body_behind_the_head_of_http_is_left_alone() -> None:
    assert fed(HTTP + b"body: x\r\n\r\n", 1000) == fed(HTTP, 1000)


@pytest.mark.parametrize("data", [b"\0", b"x" * (constants.REQUEST_HEAD_LIMIT + 1)])
def test_what_is_no_head_is_refused(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        fed(data, len(data))
