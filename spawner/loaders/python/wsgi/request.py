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
from .acknowledgement import Acknowledgement, acknowledgement_for, acknowledgement_of
from .file_wrapper import FileWrapper
from .head import HeadParser

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


class Request:
    """One request: what the app is called with, how it wants to be answered, and its head's payload as it came.

    `acknowledgement`: None for a peer that asks for none; `error_responses`: for an app that fails; `may_keep`: another
    request may follow on the connection, of which nothing of this one is left to be read.
    """

    __slots__ = ("acknowledgement", "environ", "error_responses", "framed", "head", "may_keep", "method")

    def __init__(
        self,
        environ: Dict[str, Any],
        framed: bool,
        head: bytes,
        error_responses: ErrorResponses,
        acknowledgement: Optional[Acknowledgement],
        may_keep: bool,
    ) -> None:
        self.environ = environ
        self.head = head
        self.error_responses = error_responses
        self.acknowledgement = acknowledgement
        self.framed = framed
        self.may_keep = may_keep
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
        self._parser = HeadParser(
            server_software,
            {
                "wsgi.version": (1, 0),
                "wsgi.multithread": multithread,
                "wsgi.multiprocess": multiprocess,
                "wsgi.run_once": False,
                "wsgi.input_terminated": True,
                "wsgi.file_wrapper": FileWrapper,
                "passenger.request_oob_work": request_out_of_band_work,
            },
        )

    def read(self, connection: Connection) -> Request:
        """Return the request that comes on `connection`. Raises BadRequest; ClientLeft when it ends before the head."""
        payload, rest, descriptors = _read_head(connection)
        framed = False
        try:
            environ, extensions = self._parser.parse(payload)
            framed = extensions.get("JUMPSEAT_FRAMED") == "1"
            token = extensions.get("JUMPSEAT_TOKEN", "")
            if self._token and not compare_digest(token.encode("latin-1"), self._token):
                raise BadRequest("a peer does not know this group's token", "403 Forbidden")
            body = _body(extensions.get("JUMPSEAT_BODY", ""), environ, connection, rest, descriptors)
            acknowledgement = acknowledgement_for(extensions, self._acknowledgement)
        except BadRequest as error:
            error.framed = framed
            raise
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        environ["wsgi.input"] = body
        environ["wsgi.errors"] = sys.stderr
        may_keep = framed and extensions.get("JUMPSEAT_KEEP") == "1" and request_body.is_complete(body)
        return Request(environ, framed, payload, self._error_responses, acknowledgement, may_keep)

    def pseudo_environ(self, method: str) -> Dict[str, Any]:
        """Return a complete environ for a call of the app that no client asks for."""
        environ = self._parser.environ_of({"REQUEST_METHOD": method, "PATH_INFO": "/"})
        environ["wsgi.input"] = io.BytesIO()
        environ["wsgi.errors"] = sys.stderr
        return environ


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
