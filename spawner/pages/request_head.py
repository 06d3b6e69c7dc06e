"""Heads of requests that wait for an app that did not start: of SCGI, or of HTTP/1.1 if its loader speaks that."""

from __future__ import annotations

from typing import Mapping, Optional

from spawner.shared import constants, wire

#: A variable that no head of SCGI has.
_MARK = b"JUMPSEAT_HTTP"
_END = b"\r\n\r\n"


class RequestHeadDecoder:
    """Reads the head of one request that arrives in pieces.

    A head of SCGI begins with a digit, and a head of HTTP with the name of a method.
    """

    def __init__(self) -> None:
        self._scgi = wire.Decoder(constants.REQUEST_HEAD_LIMIT)
        self._http = bytearray()
        self._is_http: Optional[bool] = None

    def feed(self, data: bytes) -> Optional[dict[bytes, bytes]]:
        """Take `data` (not empty).

        :returns: the variables of the request once its head is complete, else None.
        :raises wire.WireError: the head is invalid or too long.
        """
        if self._is_http is None:
            self._is_http = data[:1].isalpha()
        if not self._is_http:
            pairs = self._scgi.feed(data)
            return dict(pairs) if pairs is not None else None
        begin = max(len(self._http) - len(_END) + 1, 0)
        self._http += data
        end = self._http.find(_END, begin)
        if end < 0 and len(self._http) > constants.REQUEST_HEAD_LIMIT:
            raise wire.MessageTooLong("the head of a request has more than %d bytes" % constants.REQUEST_HEAD_LIMIT)
        return _variables(bytes(self._http[:end])) if end >= 0 else None


def _variables(head: bytes) -> dict[bytes, bytes]:
    """The variables of CGI that stand for the method and the headers of HTTP."""
    request_line, *lines = head.split(b"\r\n")
    variables = {_MARK: b"1", b"REQUEST_METHOD": request_line.partition(b" ")[0]}
    for line in lines:
        name, _, value = line.partition(b":")
        variable = name.upper().replace(b"-", b"_")
        variables[variable if variable == b"CONTENT_TYPE" else b"HTTP_" + variable] = value.strip()
    return variables


def is_of_http(request: Mapping[bytes, bytes]) -> bool:
    """Whether the peer that has sent this head speaks HTTP."""
    return _MARK in request
