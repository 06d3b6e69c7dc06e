"""One request through a WSGI app (PEP 3333): call it, send what it returns, close it, whatever happens.

The one place where the errors of a request are turned into responses: see `_handle_error`.
"""

import io
from typing import Any, Callable, Optional

from ....shared import error_page
from ..core.loader_errors import BadRequest, ClientLeft, InvalidResponse, TooLate
from ..core.scoreboard_writer import AnyCell
from ..core.unpatched import MSG_NOSIGNAL, Connection, monotonic_ns
from ..diagnostics import error_log
from ..diagnostics.error_responses import new_error_id
from ..fork_safety import fork
from .acknowledgement import Acknowledgement
from .file_wrapper import FileWrapper, regular_file
from .request import Request, RequestReader
from .response import Response

_Application = Callable[..., Any]
_INTERNAL_ERROR = "500 Internal Server Error"
_REFUSED = "The request was refused."
_LONGEST_JOIN = 256 * 1024  # bytes; a longer list of blocks is sent block by block
_LONGEST_DRAIN = 1024 * 1024  # bytes
_DRAIN_STEP = 64 * 1024  # bytes
_DRAIN_TIMEOUT = 1.0  # seconds


# What `handle` returns is the sum of these.
SERVED = 1  # the app was called
KEPT = 2  # the connection takes another request


def handle(
    connection: Connection,
    reader: RequestReader,
    application: _Application,
    cell: AnyCell,
    was_queued: bool,
    kept_end: bytes,
) -> int:
    """Read a request from `connection`, enter it in `cell`, have `application` answer it.

    `was_queued`: whether the connection had come before the worker was idle; `kept_end`: `response.kept_end`, or empty
    if the connection is not to be kept. The caller closes it unless it is kept, and clears the cell. Returns the sum of
    SERVED and KEPT. Raises nothing that the app or the peer could cause.
    """
    try:
        request = reader.read(connection)
    except ClientLeft:
        return 0
    except BadRequest as error:
        error_log.log("jumpseat: refused a request: {}".format(error))
        page = error_page.plain(error.status, _REFUSED)
        _send_error(Response(connection, error.framed, "GET"), error.status, "", error_page.HTML_TYPE, page)
        return 0
    body = request.environ["wsgi.input"]
    try:
        deadline = _acknowledge(connection, request.acknowledgement, was_queued)
    except (ClientLeft, TooLate):
        body.close()
        return 0
    cell.fill(request.head, monotonic_ns(), deadline)
    if kept_end and request.may_keep:
        response = Response(connection, request.framed, request.method, kept_end)
    else:
        response = Response(connection, request.framed, request.method)
    _call(application, request, response)
    if type(body) is not io.BytesIO:
        _close_body(body, connection, request.framed)
    if response.wants_out_of_band_work:
        reader.request_out_of_band_work()
    return SERVED | KEPT if response.keeps_connection else SERVED


def _acknowledge(connection: Connection, acknowledgement: Optional[Acknowledgement], was_queued: bool) -> int:
    """Decide that the app is called; return the deadline in ns, 0 for none. Raises ClientLeft, TooLate."""
    if acknowledgement is not None:
        return acknowledgement.send(connection)
    if was_queued:
        try:
            connection.send(b"", MSG_NOSIGNAL)  # fails as POLLHUP would say, at half its price
        except ConnectionError as error:
            raise ClientLeft("the client left while its request was in the queue") from error
    return 0


def _call(application: _Application, request: Request, response: Response) -> None:
    result = None
    try:
        result = application(request.environ, response.start_response)
        if fork.forked_by_app:
            fork.end_forked_process(None)
        _send_body(result, response)
        response.finish()
        if response.excess:
            what = "{}: {} bytes beyond the end of the body are dropped".format(_described(request), response.excess)
            error_log.log("jumpseat: " + what)
    except BaseException as error:  # noqa: BLE001 - the app's own code, which may raise anything, costs this request only
        if fork.forked_by_app:
            fork.end_forked_process(error)
        _handle_error(error, request, response)
    finally:
        _close(result, request)


def _send_body(result: Any, response: Response) -> None:
    kind = type(result)
    if kind is list or kind is tuple:
        _send_blocks(result, response)
    elif kind is FileWrapper:
        _send_file(result, response)
    elif hasattr(kind, "__len__") and len(result) == 1:
        for block in result:
            response.write_all(block)
    else:
        write = response.write
        for block in result:
            write(block)
            if response.bodiless and response.head_sent:
                break


def _send_blocks(blocks: Any, response: Response) -> None:
    """All of the body is here: it can be sent in one piece, with its length."""
    if len(blocks) == 1:
        response.write_all(blocks[0])
    elif all(type(block) is bytes for block in blocks) and sum(map(len, blocks)) <= _LONGEST_JOIN:
        response.write_all(b"".join(blocks))
    else:
        for block in blocks:
            response.write(block)


def _send_file(wrapper: FileWrapper, response: Response) -> None:
    plain = regular_file(wrapper) if response.framed and not response.chunked_by_app else None
    if plain is not None:
        response.send_file(*plain)
        return
    for block in wrapper:
        response.write(block)
        if response.bodiless:
            break


def _handle_error(error: BaseException, request: Request, response: Response) -> None:
    """Log what ended a request, and answer it; a response that has begun is cut."""
    if _client_left(error):
        return
    what = "an invalid response" if isinstance(error, InvalidResponse) else "the app failed"
    error_id = new_error_id()
    error_log.log_app_error("{}: {} (error id {})".format(_described(request), what, error_id), error)
    if response.head_sent:
        response.cut(error_id)
        return
    page = request.error_responses.page(request.environ, error, error_id)
    _send_error(response, _INTERNAL_ERROR, error_id, *page)


def _client_left(error: BaseException) -> bool:
    """Whether `error` is ClientLeft, or was raised because of it: nobody waits for an answer."""
    seen = 0
    cause: Any = error
    while cause is not None and seen < 20:
        if isinstance(cause, ClientLeft):
            return True
        cause = cause.__cause__ or cause.__context__
        seen += 1
    return False


def _send_error(response: Response, status: str, error_id: str, content_type: str, body: bytes) -> None:
    """Send a page of ours instead of the app's response. `error_id`: empty where the log has none."""
    try:
        response.replace(status, [("Content-Type", content_type), *error_page.HEADERS, error_page.POLICY])
        if error_id:
            response.add_error_id(error_id)
        response.write_all(body)
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
            error_log.log_app_error("{}: close() failed".format(_described(request)), error)


def _described(request: Request) -> str:
    """Return method and path for a log line, on one line whatever they hold."""
    environ = request.environ
    path = "{}{}".format(environ.get("SCRIPT_NAME"), environ.get("PATH_INFO"))
    return "{} {}".format(ascii(request.method)[1:-1], ascii(path)[1:-1])


def _close_body(body: Any, connection: Connection, framed: bool) -> None:
    """Close a request body, and with it its file. Before that, read within limits what a plain peer still sends.

    A connection that is closed with bytes unread is reset, and such a peer may lose our answer.
    """
    try:
        if not framed:
            connection.settimeout(_DRAIN_TIMEOUT)
            for _ in range(_LONGEST_DRAIN // _DRAIN_STEP):
                if not body.read(_DRAIN_STEP):
                    break
        body.close()
    except (OSError, ValueError):
        pass  # the client has left, or the app has detached or closed the body
