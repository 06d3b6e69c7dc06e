"""A request as httpd's child or a plain SCGI peer sends it, made into a WSGI environ (docs/protocol.md, section 2)."""

import io
import re
import sys
from typing import Any, BinaryIO, Callable, Dict, List, Optional, Tuple

from ....shared import constants, wire
from ..core.control_line import passed_descriptors
from ..core.loader_errors import BadRequest, ClientLeft
from ..core.unpatched import MSG_CMSG_CLOEXEC, Connection, os, select, socket
from ..diagnostics.error_responses import ErrorResponses
from . import request_body
from .acknowledgement import Acknowledgement, acknowledgement_of, take_from
from .file_wrapper import FileWrapper

try:
    from _operator import _compare_digest as compare_digest  # what hmac gives, without loading OpenSSL for it
except ImportError:
    from hmac import compare_digest  # type: ignore[no-redef,assignment,unused-ignore]

_FIRST_SIZE = 16 * 1024  # bytes: room for most heads, and cheap to get for each request
_RECEIVE_SIZE = 64 * 1024  # bytes
_ONE_DESCRIPTOR = socket.CMSG_LEN(4)
_FIRST_FLAGS = socket.MSG_DONTWAIT | MSG_CMSG_CLOEXEC
_HEAD_TIMEOUT = 60 * 1000  # ms between two pieces of a request head
_LENGTH = re.compile(r"[0-9]{1,18}\Z")
_TRUE = frozenset(("on", "1", "true", "yes"))


class Request:
    """One request: what the app is called with, how it wants to be answered, and its head's payload as it came.

    `acknowledgement`: None for a peer that asks for none; `error_responses`: for an app that fails.
    """

    __slots__ = ("acknowledgement", "environ", "error_responses", "framed", "head", "method")

    def __init__(
        self,
        environ: Dict[str, Any],
        framed: bool,
        head: bytes,
        error_responses: ErrorResponses,
        acknowledgement: Optional[Acknowledgement],
    ) -> None:
        self.environ = environ
        self.head = head
        self.error_responses = error_responses
        self.acknowledgement = acknowledgement
        self.framed = framed
        self.method: str = environ["REQUEST_METHOD"]


class RequestReader:
    """Reads the requests of one worker, in any of its threads.

    `request_out_of_band_work`: what an app calls that wants it.
    """

    def __init__(
        self,
        token: str,
        multiprocess: bool,
        multithread: bool,
        server_software: str,
        error_responses: ErrorResponses,
        route: str,
        request_out_of_band_work: Callable[[], None],
    ) -> None:
        """`token`: what a peer must show; empty: nothing. `route`: the worker's, empty without a socket of its own."""
        self.request_out_of_band_work = request_out_of_band_work
        self._error_responses = error_responses
        self._acknowledgement = acknowledgement_of(route)
        self._token = token.encode("latin-1", "replace")
        self._cgi_defaults = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": server_software,
        }
        self._cgi_names = frozenset(self._cgi_defaults)
        self._wsgi: Dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.multithread": multithread,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
            "passenger.request_oob_work": request_out_of_band_work,
        }

    def read(self, connection: Connection) -> Request:
        """Return the request that comes on `connection`. Raises BadRequest; ClientLeft when it ends before the head."""
        payload, rest, descriptors = _read_head(connection)
        framed = False
        acknowledgement = None
        try:
            environ = _environ(payload)
            before = len(environ)
            framed = environ.pop("JUMPSEAT_FRAMED", "") == "1"
            token: str = environ.pop("JUMPSEAT_TOKEN", "")
            kind: str = environ.pop("JUMPSEAT_BODY", "")
            if payload.count(b"JUMPSEAT_") != before - len(environ):
                acknowledgement = take_from(environ, self._acknowledgement)
                _remove_unknown_extensions(environ)
            if self._token and not compare_digest(token.encode("latin-1"), self._token):
                raise BadRequest("a peer does not know this group's token", "403 Forbidden")
            environ["wsgi.input"] = _body(kind, environ, connection, rest, descriptors)
        except BadRequest as error:
            error.framed = framed
            raise
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self._complete(environ)
        return Request(environ, framed, payload, self._error_responses, acknowledgement)

    def pseudo_environ(self, method: str) -> Dict[str, Any]:
        """Return a complete environ for a call of the app that no client asks for."""
        environ: Dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": "/", "wsgi.input": io.BytesIO()}
        self._complete(environ)
        return environ

    def _complete(self, environ: Dict[str, Any]) -> None:
        """Add what PEP 3333 asks for."""
        environ.update(self._wsgi)
        if not self._cgi_names <= environ.keys():
            for name, value in self._cgi_defaults.items():
                environ.setdefault(name, value)
        environ["wsgi.errors"] = sys.stderr
        https = environ.get("HTTPS")
        environ["wsgi.url_scheme"] = "https" if https and https.lower() in _TRUE else "http"


def _remove_unknown_extensions(environ: Dict[str, Any]) -> None:
    """Remove what a newer peer may ask for: the app sees nothing that is between us and the peer."""
    for name in [name for name in environ if name.startswith("JUMPSEAT_")]:
        del environ[name]


def _environ(payload: bytes) -> Dict[str, Any]:
    """Return the variables of a request head. Raises BadRequest when it is none, or says twice what must be clear."""
    try:
        fields = wire.split_native(payload)
    except wire.WireError as error:
        raise BadRequest(str(error)) from error
    remaining = iter(fields)
    environ: Dict[str, Any] = dict(zip(remaining, remaining))
    if environ.pop("SCGI", "") != "1" or fields[0] != "CONTENT_LENGTH":
        raise BadRequest("the request head is not an SCGI head")
    if len(environ) + 1 != len(fields) // 2:
        _refuse_repeated(fields[::2])
    return environ


def _refuse_repeated(names: List[str]) -> None:
    """Two lengths or two tokens: nobody can say which one counts. Of other variables the last one counts."""
    for name in names:
        if names.count(name) > 1 and (name == "CONTENT_LENGTH" or name.startswith("JUMPSEAT_")):
            raise BadRequest("the request head repeats {}".format(name))


def _read_head(connection: Connection) -> Tuple[bytes, bytes, List[int]]:
    """Return the head's payload, the bytes that came behind it, and the descriptor that came with it, if any."""
    data, descriptors = _first_piece(connection)
    try:
        end = wire.message_end(data, constants.REQUEST_HEAD_LIMIT)
        while end is None or len(data) < end:
            data += _next_piece(connection)
            end = wire.message_end(data, constants.REQUEST_HEAD_LIMIT)
        return wire.payload_of(data, end), data[end:], descriptors
    except (wire.WireError, ClientLeft, BadRequest) as error:
        for descriptor in descriptors:
            os.close(descriptor)
        if isinstance(error, wire.WireError):
            raise BadRequest(str(error)) from error
        raise


def _first_piece(connection: Connection) -> Tuple[bytes, List[int]]:
    try:
        try:
            data, ancillary, _, _ = connection.recvmsg(_FIRST_SIZE, _ONE_DESCRIPTOR, _FIRST_FLAGS)
        except BlockingIOError:
            _wait(connection)
            data, ancillary, _, _ = connection.recvmsg(_FIRST_SIZE, _ONE_DESCRIPTOR, MSG_CMSG_CLOEXEC)
    except ConnectionError as error:
        raise ClientLeft("the client left before its request came") from error
    if not data:
        raise ClientLeft("the client left before its request came")
    return data, passed_descriptors(ancillary) if ancillary else []


def _next_piece(connection: Connection) -> bytes:
    _wait(connection)
    try:
        data = connection.recv(_RECEIVE_SIZE)
    except ConnectionError as error:
        raise ClientLeft("the client left within the head of its request") from error
    if not data:
        raise ClientLeft("the client left within the head of its request")
    return data


def _wait(connection: Connection) -> None:
    """Wait until bytes have come. Raises BadRequest when the peer lets a worker wait too long."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(_HEAD_TIMEOUT):
        raise BadRequest("no request head came", "408 Request Timeout")


def _body(kind: str, environ: Dict[str, Any], connection: Connection, rest: bytes, descriptors: List[int]) -> BinaryIO:
    """Return `wsgi.input`, and leave CONTENT_LENGTH as the app shall see it. Takes a descriptor out when it uses it."""
    if kind == "none":
        del environ["CONTENT_LENGTH"]
        return io.BytesIO()
    if kind == "framed":
        del environ["CONTENT_LENGTH"]
        return request_body.framed(connection, rest)
    length = _content_length(environ["CONTENT_LENGTH"])
    if kind in ("", "inline"):
        return request_body.inline(connection, rest, length)
    if kind == "file" and descriptors:
        return request_body.spooled(descriptors.pop(), length)
    raise BadRequest("a request body of kind {!r} came with {} descriptors".format(kind[:40], len(descriptors)))


def _content_length(text: str) -> int:
    if not _LENGTH.match(text):
        raise BadRequest("the Content-Length is not a number: {!r}".format(text[:40]))
    return int(text)
