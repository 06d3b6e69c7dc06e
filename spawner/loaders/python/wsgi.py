"""One request through a WSGI app (PEP 3333): call it, deliver what it gives, close it, whatever happens.

The one place where the errors of a request are turned into answers: see `_conclude`.
"""

import io
import socket
from typing import Any, Callable, Optional

from ...shared import error_page
from . import forks, report
from .errors import BadRequest, ClientLeft, InvalidResponse, TooLate
from .file_wrapper import FileWrapper, regular_file
from .originals import Connection
from .request import Request, RequestReader
from .request_failure import new_error_id
from .response import Response
from .scoreboard import Cell, monotonic_ns
from .terms import Terms

_Application = Callable[..., Any]
_INTERNAL_ERROR = "500 Internal Server Error"
_REFUSED = "The request was refused."
_LONGEST_JOIN = 256 * 1024  # bytes; a longer list of blocks is sent block by block
_LONGEST_DRAIN = 1024 * 1024  # bytes
_NO_SIGNAL: int = getattr(socket, "MSG_NOSIGNAL", 0x4000)  # PyPy has no name for it
_DRAIN_STEP = 64 * 1024  # bytes
_DRAIN_PATIENCE = 1.0  # seconds


def serve(
    connection: Connection, reader: RequestReader, application: _Application, cell: Cell, waited: bool
) -> bool:
    """Read a request from `connection`, enter it in `cell`, have `application` answer it.

    `waited`: whether the connection was there before the worker was free. The caller closes it and empties the cell.
    Returns whether the app was called. Raises nothing that the app or the peer could cause.
    """
    try:
        request = reader.read(connection)
    except ClientLeft:
        return False
    except BadRequest as error:
        report.log("jumpseat: refused a request: {}".format(error))
        page = error_page.plain(error.status, _REFUSED)
        _answer(Response(connection, error.framed, "GET"), error.status, "", error_page.HTML_TYPE, page)
        return False
    body = request.environ["wsgi.input"]
    try:
        deadline = _take(connection, request.terms, waited)
    except (ClientLeft, TooLate):
        body.close()
        return False
    cell.enter(request.head, monotonic_ns(), deadline)
    response = Response(connection, request.framed, request.method)
    _run(application, request, response)
    if type(body) is not io.BytesIO:
        _put_away(body, connection, request.framed)
    if response.wants_work:
        reader.request_work()
    return True


def _take(connection: Connection, terms: Optional[Terms], waited: bool) -> int:
    """Decide that the app is called; return the deadline in ns, 0 for none. Raises ClientLeft, TooLate."""
    if terms is not None:
        return terms.take(connection)
    if waited:
        try:
            connection.send(b"", _NO_SIGNAL)  # fails as POLLHUP would say, at half its price
        except ConnectionError as error:
            raise ClientLeft("the client left while its request was in the queue") from error
    return 0


def _run(application: _Application, request: Request, response: Response) -> None:
    result = None
    try:
        result = application(request.environ, response.start_response)
        if forks.copied:
            forks.end_copy(None)
        _deliver(result, response)
        response.finish()
        if response.excess:
            what = "{}: {} bytes beyond Content-Length are dropped".format(_named(request), response.excess)
            report.log("jumpseat: " + what)
    except BaseException as error:  # noqa: BLE001 - the app's own code, which may raise anything, costs this request only
        if forks.copied:
            forks.end_copy(error)
        _conclude(error, request, response)
    finally:
        _close(result, request)


def _deliver(result: Any, response: Response) -> None:
    kind = type(result)
    if kind is list or kind is tuple:
        _deliver_blocks(result, response)
    elif kind is FileWrapper:
        _deliver_file(result, response)
    elif hasattr(kind, "__len__") and len(result) == 1:
        for block in result:
            response.whole(block)
    else:
        write = response.write
        for block in result:
            write(block)
            if response.bodiless and response.head_sent:
                break


def _deliver_blocks(blocks: Any, response: Response) -> None:
    """All of the body is here: it can be sent in one piece, with its length."""
    if len(blocks) == 1:
        response.whole(blocks[0])
    elif all(type(block) is bytes for block in blocks) and sum(map(len, blocks)) <= _LONGEST_JOIN:
        response.whole(b"".join(blocks))
    else:
        for block in blocks:
            response.write(block)


def _deliver_file(wrapper: FileWrapper, response: Response) -> None:
    plain = regular_file(wrapper) if response.framed else None
    if plain is not None:
        response.file(*plain)
        return
    for block in wrapper:
        response.write(block)
        if response.bodiless:
            break


def _conclude(error: BaseException, request: Request, response: Response) -> None:
    """Turn what ended a request into an answer, or cut the answer that has begun, and into the app's log."""
    if _client_left(error):
        return
    what = "an invalid response" if isinstance(error, InvalidResponse) else "the app failed"
    error_id = new_error_id()
    report.log_failure("{}: {} (error id {})".format(_named(request), what, error_id), error)
    if not response.head_sent:
        _answer(response, _INTERNAL_ERROR, error_id, *request.pages.answer(request.environ, error, error_id))


def _client_left(error: BaseException) -> bool:
    """Whether `error` is, or was raised while dealing with, the client's leaving: nobody waits for an answer."""
    seen = 0
    cause: Any = error
    while cause is not None and seen < 20:
        if isinstance(cause, ClientLeft):
            return True
        cause = cause.__cause__ or cause.__context__
        seen += 1
    return False


def _answer(response: Response, status: str, error_id: str, content_type: str, body: bytes) -> None:
    """Send a page of ours instead of what the app would have answered. `error_id`: empty where the log has none."""
    try:
        response.replace(status, [("Content-Type", content_type), *error_page.HEADERS, error_page.POLICY])
        if error_id:
            response.tell_error_id(error_id)
        response.whole(body)
        response.finish()
    except ClientLeft:
        pass


def _close(result: Any, request: Request) -> None:
    """Call the iterable's close(), which PEP 3333 promises, once."""
    try:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    except BaseException as error:  # noqa: BLE001 - the app's own code, which may raise anything
        if not _client_left(error):
            report.log_failure("{}: close() failed".format(_named(request)), error)


def _named(request: Request) -> str:
    """Return method and path for a log line, on one line whatever they hold."""
    environ = request.environ
    path = "{}{}".format(environ.get("SCRIPT_NAME"), environ.get("PATH_INFO"))
    return "{} {}".format(ascii(request.method)[1:-1], ascii(path)[1:-1])


def _put_away(body: Any, connection: Connection, framed: bool) -> None:
    """Close a request body, so that no file of it is held. Read before, within limits, what a plain peer still sends.

    A connection that is closed with bytes unread is reset, and such a peer may lose our answer.
    """
    try:
        if not framed:
            connection.settimeout(_DRAIN_PATIENCE)
            for _ in range(_LONGEST_DRAIN // _DRAIN_STEP):
                if not body.read(_DRAIN_STEP):
                    break
        body.close()
    except (OSError, ValueError):
        pass  # the client has left, or the app has detached or closed the body
