"""The head of a request taken apart: into a WSGI environ, and what is between us and the peer.

docs/protocol.md, section 2. The fields of a head's tail are the same in many requests: it is taken apart when it is
first seen, and known by its bytes from then on.
"""

from typing import Any, Dict, List, Tuple

from ....shared import constants, wire
from ..core.loader_errors import BadRequest

_EXTENSION = "JUMPSEAT_"
_EXTENSION_BYTES = b"JUMPSEAT_"
_TAIL_NAME = b"\0JUMPSEAT_TAIL\0"
_TAIL_FIELD_SIZE = len(_TAIL_NAME) + constants.TAIL_DIGITS + 1  # from the NUL before it to the last one
_TAIL_NAME_END = _TAIL_FIELD_SIZE - len(_TAIL_NAME)
_MOST_TAILS = 64
_TRUE = frozenset(("on", "1", "true", "yes"))
_CGI_DEFAULTS = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
}

Extensions = Dict[str, str]


class _Tail:
    """What the fields of a tail give: the environ without the rest of the head, and extensions. Neither is changed."""

    __slots__ = ("environ", "extensions")

    def __init__(self, environ: Dict[str, Any], extensions: Extensions) -> None:
        self.environ = environ
        self.extensions = extensions


class HeadParser:
    """Takes the heads of one worker's requests apart, in any of its threads."""

    def __init__(self, server_software: str, wsgi: Dict[str, Any]) -> None:
        """`wsgi`: keys that each environ has, beside CGI's."""
        self._defaults = dict(_CGI_DEFAULTS, SERVER_SOFTWARE=server_software, **wsgi)
        self._without_tail = self._tail_of({})
        self._tails: Dict[bytes, _Tail] = {}

    def parse(self, payload: bytes) -> Tuple[Dict[str, Any], Extensions]:
        """Return the environ, with CONTENT_LENGTH, and the extensions, which are not to be changed.

        Raises BadRequest for a head that is none, or says twice what must be clear.
        """
        size = _size_of_tail(payload)
        if size:
            tail_bytes = payload[-size:]
            tail = self._tails.get(tail_bytes) or self._add_tail(tail_bytes)
            payload = payload[:-size]
        else:
            tail = self._without_tail
        fields = _split(payload)
        remaining = iter(fields)
        variables: Dict[str, Any] = dict(zip(remaining, remaining))
        if variables.pop("SCGI", "") != "1" or fields[0] != "CONTENT_LENGTH":
            raise BadRequest("the request head is not an SCGI head")
        if len(variables) + 1 != len(fields) // 2:
            _refuse_repeated(fields[::2])
        extensions = tail.extensions
        if _EXTENSION_BYTES in payload:
            extensions = _with_extensions(extensions, variables)
        environ = tail.environ.copy()
        environ.update(variables)
        if not size:
            _set_scheme(environ)
        return environ, extensions

    def environ_of(self, variables: Dict[str, Any]) -> Dict[str, Any]:
        """Return a complete environ of these variables, for a call of the app that no client asks for."""
        return self._tail_of(variables).environ

    def _add_tail(self, tail_bytes: bytes) -> _Tail:
        fields = _split(tail_bytes)
        tail = self._tail_of(dict(zip(fields[::2], fields[1::2])))
        if len(self._tails) >= _MOST_TAILS:
            self._tails.clear()
        self._tails[tail_bytes] = tail
        return tail

    def _tail_of(self, variables: Dict[str, Any]) -> _Tail:
        extensions = _with_extensions({}, variables)
        environ = dict(self._defaults, **variables)
        _set_scheme(environ)
        return _Tail(environ, extensions)


def _set_scheme(environ: Dict[str, Any]) -> None:
    https = environ.get("HTTPS")
    environ["wsgi.url_scheme"] = "https" if https and https.lower() in _TRUE else "http"


def _size_of_tail(payload: bytes) -> int:
    """Return how many bytes of the payload are its tail, 0 without one. A head says it with its last field."""
    if payload[-_TAIL_FIELD_SIZE:-_TAIL_NAME_END] != _TAIL_NAME:
        return 0
    digits = payload[-_TAIL_NAME_END:-1]
    size = int(digits) if digits.isdigit() else 0
    return size if _TAIL_FIELD_SIZE <= size + 1 and size <= len(payload) else 0


def _split(payload: bytes) -> List[str]:
    try:
        return wire.split_native(payload)
    except wire.WireError as error:
        raise BadRequest(str(error)) from error


def _with_extensions(extensions: Extensions, variables: Dict[str, Any]) -> Extensions:
    """Return the extensions with those that are removed from `variables`: the app sees nothing of them."""
    found = {name: variables.pop(name) for name in [name for name in variables if name.startswith(_EXTENSION)]}
    for name in found:
        if name in extensions:
            raise BadRequest("the request head repeats {}".format(name))
    return dict(extensions, **found)


def _refuse_repeated(names: List[str]) -> None:
    """Two lengths or two tokens: nobody can say which one counts. Of other variables the last one counts."""
    for name in names:
        if names.count(name) > 1 and (name == "CONTENT_LENGTH" or name.startswith(_EXTENSION)):
            raise BadRequest("the request head repeats {}".format(name))
