"""The head of a response, checked (PEP 3333, RFC 9110, docs/protocol.md, section 3).

What the app gives is untrusted. Nothing that could end a line gets through, and no header that is between two servers.
"""

import re
from typing import Any, Dict, List, Optional, Tuple

from ....shared.constants import RESPONSE_HEAD_LIMIT
from ..core.loader_errors import InvalidResponse
from . import tolerated

_STATUS = re.compile(r"[2-9][0-9][0-9](?: [^\x00-\x08\x0a-\x1f\x7f]*)?\Z")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH = re.compile(r"[0-9]{1,18}\Z")
_CHUNKED = re.compile(r"[ \t]*chunked[ \t]*\Z", re.IGNORECASE)

_REFUSED = frozenset(("upgrade", "trailer", "te"))
_DROPPED = frozenset(("connection", "keep-alive", "status"))  # "Status" is how CGI names the status line
_BODILESS = frozenset((204, 304))

_OUT_OF_BAND_WORK = frozenset(("x-passenger-request-oob-work", "!~request-oob-work"))  # for us, not for the client

_ORDINARY, _DROP, _CONTENT_LENGTH, _TRANSFER_ENCODING, _WANTS_OUT_OF_BAND_WORK = range(5)
_KINDS = {"content-length": _CONTENT_LENGTH, "transfer-encoding": _TRANSFER_ENCODING}
_KINDS.update(dict.fromkeys(_DROPPED, _DROP), **dict.fromkeys(_OUT_OF_BAND_WORK, _WANTS_OUT_OF_BAND_WORK))
_MOST_CACHED = 1000
_kinds: Dict[Any, int] = {}  # of header names that have been checked
_statuses: Dict[Any, int] = {}  # codes of status lines that have been checked


class ResponseHead:
    """A checked response head.

    `code`: the status; `length`: the Content-Length that the app gave, in bytes; `chunked`: the app chunks the body
    itself, and gave no Content-Length; `bodiless`: this status has no body; `wants_out_of_band_work`: a header asks for
    out-of-band work.
    """

    __slots__ = ("_for_chunks", "_lines", "bodiless", "chunked", "code", "length", "wants_out_of_band_work")

    def __init__(
        self, code: int, lines: bytes, length: Optional[int], chunked: bool, wants_out_of_band_work: bool
    ) -> None:
        self.code = code
        self.length = length
        self.chunked = chunked
        self.bodiless = code in _BODILESS
        self.wants_out_of_band_work = wants_out_of_band_work
        self._lines = lines
        self._for_chunks = False

    def ask_for_chunks(self) -> None:
        """Ask the peer to send the body in chunks, in a line that no app can write; no length is computed then."""
        self._for_chunks = True
        self._insert(b"Send chunked: yes")

    def add_error_id(self, error_id: str) -> None:
        """Add the id that the log has, in a line that no app can write: its name cannot be a header's."""
        self._insert(b"Error id: " + error_id.encode("ascii"))

    def _insert(self, line: bytes) -> None:
        """Insert a line behind the status."""
        self._lines = self._lines.replace(b"\r\n", b"\r\n%s\r\n" % line, 1)

    def encode(self, computed_length: Optional[int] = None) -> bytes:
        """Return the bytes up to the empty line, with a Content-Length of `computed_length` bytes if it is given."""
        if computed_length is None or self._for_chunks:
            return self._lines + b"\r\n"
        return b"%sContent-Length: %d\r\n\r\n" % (self._lines, computed_length)


def check_head(status: Any, headers: Any) -> ResponseHead:
    """Return the head for what the app gave to start_response. Raises InvalidResponse, which names what is wrong."""
    code = _statuses.get(status) if isinstance(status, str) else None
    if code is None:
        code = _check_status(status)
    pairs = headers if type(headers) is list else _list_of(headers)
    try:
        return _head_of(status, code, pairs)
    except InvalidResponse:
        raise
    except (TypeError, ValueError):  # no pairs, or not of str
        return _head_of(status, code, _as_text(pairs))


def _head_of(status: str, code: int, pairs: List[Any]) -> ResponseHead:
    """Return the head. Raises InvalidResponse, and TypeError or ValueError for what is no list of pairs of str."""
    lines = ["Status: " + status]
    length: Optional[int] = None
    chunked = False
    wants_out_of_band_work = False
    for name, value in pairs:
        kind = _kinds.get(name)
        if kind is None:
            kind = _check_name(name)
        if kind == _CONTENT_LENGTH:
            length = _check_length(value, length)
            if code == 204:  # RFC 9110, 8.6: it has none
                continue
        elif kind == _DROP:
            continue
        elif kind == _TRANSFER_ENCODING:
            chunked = _check_encoding(value, chunked)
            continue
        elif kind == _WANTS_OUT_OF_BAND_WORK:
            wants_out_of_band_work = wants_out_of_band_work or str(value).lower() == "true"
            continue
        lines.append(name + ": " + value)
    if chunked and length is not None:
        raise InvalidResponse("there are both a Content-Length and a Transfer-Encoding header")
    return ResponseHead(code, _encode(lines, pairs), length, chunked, wants_out_of_band_work)


def _as_text(pairs: List[Any]) -> List[Tuple[str, str]]:
    """Return pairs of str for what is no list of them, where it is clear what is meant. Raises InvalidResponse."""
    found = []
    for pair in pairs:
        try:
            name, value = pair
        except (TypeError, ValueError) as error:
            raise InvalidResponse("a header is not a pair: {!r}".format(pair)[:300]) from error
        if not isinstance(name, str):
            raise InvalidResponse("the name of a header is of type {}, not str".format(type(name).__name__))
        found.append((name, value if isinstance(value, str) else tolerated.header_value(name, value)))
    return found


def _list_of(headers: Any) -> List[Any]:
    try:
        return list(headers)
    except TypeError as error:
        raise InvalidResponse("the headers are not a list: {!r}".format(headers)[:300]) from error


def _encode(lines: List[str], pairs: List[Tuple[str, str]]) -> bytes:
    if _CONTROL.search("\t".join(lines)):
        raise _bad_value(pairs)
    lines.append("")
    try:
        data = "\r\n".join(lines).encode("latin-1")
    except UnicodeEncodeError as error:
        raise _bad_value(pairs) from error
    if len(data) > RESPONSE_HEAD_LIMIT:
        raise InvalidResponse("the response head has {} bytes, the limit is {}".format(len(data), RESPONSE_HEAD_LIMIT))
    return data


def _check_status(status: Any) -> int:
    if not isinstance(status, str):
        raise InvalidResponse("the status is of type {}, not str".format(type(status).__name__))
    if not _STATUS.match(status) or not _is_latin_1(status):
        raise InvalidResponse("the status is not valid: {!r}".format(status[:100]))
    if len(_statuses) < _MOST_CACHED and len(status) < 100:
        _statuses[status] = int(status[:3])
    return int(status[:3])


def _check_name(name: str) -> int:
    """Return the kind of a header's name that has not been seen before. Raises InvalidResponse."""
    if not _NAME.match(name):
        raise InvalidResponse("the name of a header is not valid: {!r}".format(name[:100]))
    lower = name.lower()
    if lower in _REFUSED or lower.startswith("proxy-"):
        raise InvalidResponse("an app cannot set the header {}: it is between servers".format(name[:100]))
    kind = _KINDS.get(lower, _ORDINARY)
    if len(_kinds) < _MOST_CACHED and len(name) < 100:
        _kinds[name] = kind
    return kind


def _check_length(value: str, before: Optional[int]) -> int:
    if before is not None:
        raise InvalidResponse("there are two Content-Length headers")
    if not _LENGTH.match(value):
        raise InvalidResponse("the Content-Length is not a number: {!r}".format(value[:100]))
    return int(value)


def _check_encoding(value: str, before: bool) -> bool:
    """Return True: the app chunks its body itself. Raises InvalidResponse for every other transfer encoding."""
    if before:
        raise InvalidResponse("there are two Transfer-Encoding headers")
    if not _CHUNKED.match(value):
        raise InvalidResponse("an app cannot set this Transfer-Encoding: {!r}".format(value[:100]))
    tolerated.warn("the app sets Transfer-Encoding and chunks its body itself, which PEP 3333 leaves to the server")
    return True


def _bad_value(pairs: List[Tuple[str, str]]) -> InvalidResponse:
    for name, value in pairs:
        if _CONTROL.search(value) or not _is_latin_1(value):
            return InvalidResponse("the value of the header {} is not valid: {!r}".format(name[:100], value[:100]))
    return InvalidResponse("the headers are not valid: {!r}".format(pairs)[:300])


def _is_latin_1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
