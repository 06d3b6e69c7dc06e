"""The error page of an app that did not start: a short page, a friendly page with the cause, or JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Mapping, Optional

from spawner.pages.request_head import is_of_http
from spawner.pages.start_advice import advice, retry_sentence
from spawner.pool.registration import Registration
from spawner.shared import accept_header, error_page, masking
from spawner.shared.error_page import Markup, Row, element, folded, lines, section, table
from spawner.start_failure import StartFailure

_STATUS = 500
_TITLE = "This application could not be started"
_SENTENCE = "The web server could not start the application that answers here. Please try again later."


@dataclass(frozen=True)
class ErrorResponse:
    """The answer to every request that waits, as HTML and as JSON.

    :ivar error_id: the log has the cause under this id.
    :ivar retry_after: seconds until the next attempt; None if no attempt is planned.
    :ivar operators_own: the page is the operator's file, which decides itself what it loads (no security policy).
    """

    error_id: str
    html: bytes
    json: bytes
    retry_after: Optional[int] = None
    operators_own: bool = False


def short_response(failure: StartFailure, retry_after: Optional[int]) -> ErrorResponse:
    """The answer without the cause."""
    error_id = failure.error_id
    html = error_page.short(_TITLE, _SENTENCE, error_id)
    return ErrorResponse(error_id, html, error_page.as_json(_STATUS, _TITLE, error_id, retry_after), retry_after)


def friendly_response(registration: Registration, failure: StartFailure, retry_after: Optional[int]) -> ErrorResponse:
    """The answer with everything that is known. Text from the app is escaped."""
    json = error_page.as_json(
        _STATUS,
        _TITLE,
        failure.error_id,
        retry_after,
        step=failure.step,
        summary=masking.text(failure.summary),
        traceback=failure.details.traceback.splitlines(),
    )
    page = _friendly_page(registration, failure, retry_after)
    return ErrorResponse(failure.error_id, page, json, retry_after)


def _friendly_page(registration: Registration, failure: StartFailure, retry_after: Optional[int]) -> bytes:
    details = failure.details
    facts = [(name, value) for name, value in failure.facts if name != "search path" and value]
    paths = [value for name, value in failure.facts if name == "search path"]
    return error_page.document(
        _TITLE,
        element("p", element("strong", masking.text(failure.summary))),
        element("p", "It failed at the step: ", element("strong", failure.step), ". ", retry_sentence(retry_after)),
        element("p", "Error id, also in the log: ", element("code", failure.error_id)),
        _advice(advice(failure, registration.options, registration.app_type)),
        _traceback(failure),
        section("Output of the process", element("pre", details.output)) if details.output else Markup(""),
        section("Process", table(facts)),
        folded("search path", *[lines(path.split("\n")) for path in paths]) if paths else Markup(""),
        folded("Environment variables, secrets hidden", table(details.environment)),
        folded("Options in force", table(_options(registration))),
        error_page.friendly_note(),
    )


def _advice(sentences: list[str]) -> Markup:
    if not sentences:
        return Markup("")
    return section("What to check first", element("ul", *[element("li", sentence) for sentence in sentences]))


def _traceback(failure: StartFailure) -> Markup:
    details = failure.details
    if not details.traceback and not details.raised:
        return Markup("")
    plain = element("pre", details.traceback)
    if not details.raised:
        return section("Traceback", plain)
    return section("Traceback", error_page.exceptions(details.raised), folded("As text", plain))


def _options(registration: Registration) -> list[Row]:
    """Every option of the app by its directive's name, made from the wire name."""
    given = dataclasses.asdict(registration.options)
    return [("Passenger" + name.title().replace("_", ""), _shown(value)) for name, value in given.items()]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)


def response_bytes(response: ErrorResponse, request: Mapping[bytes, bytes]) -> bytes:
    """The whole response, in the form that the request asks for (docs/protocol.md, sections 3 and 10).

    :param request: the request's head.
    """
    kind, body = error_page.HTML_TYPE, response.html
    if accept_header.wants_json(_text(request, b"HTTP_ACCEPT"), _text(request, b"CONTENT_TYPE")):
        kind, body = error_page.JSON_TYPE, response.json
    framed = request.get(b"JUMPSEAT_FRAMED") == b"1"
    start = b"Status: "
    headers = []
    if framed or is_of_http(request):
        headers.append(("Error id", response.error_id))
    if is_of_http(request):
        start = b"HTTP/1.1 "
        headers.append(("Connection", "close"))
    headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
    headers += error_page.HEADERS
    if not (response.operators_own and kind == error_page.HTML_TYPE):
        headers.append(error_page.POLICY)
    if response.retry_after is not None:
        headers.append(("Retry-After", str(response.retry_after)))
    lines = "".join("%s: %s\r\n" % header for header in headers).encode("ascii")
    head = start + b"500 Internal Server Error\r\n" + lines + b"\r\n"
    if request.get(b"REQUEST_METHOD") == b"HEAD":
        body = b""
    if not framed:
        return head + body
    data = len(body).to_bytes(4, "big") + body if body else b""
    return head + data + b"\0\0\0\0"


def _text(request: Mapping[bytes, bytes], name: bytes) -> str:
    return request.get(name, b"").decode("latin-1")
