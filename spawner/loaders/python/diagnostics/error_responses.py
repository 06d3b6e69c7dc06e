"""The response to a request that the app could not answer: a short page, a friendly one, or JSON."""

import sys
from typing import Any, Dict, List, Mapping, Tuple

from ....shared import accept_header, error_page, exception_serializer, masking
from ....shared.app_files import AppFiles
from ....shared.error_page import Row, element
from ..core.unpatched import os
from . import error_log

_STATUS = 500
_TITLE = "The application could not answer this request"
_SENTENCE = "Something went wrong in the application. Trying again later may help."


def new_error_id() -> str:
    """Return eight hex digits that connect the page with the log."""
    return os.urandom(4).hex()


class ErrorResponses:
    """Those of one app's workers. `friendly`: whether they show what happened."""

    def __init__(self, files: AppFiles, friendly: bool) -> None:
        self.files = files
        self.friendly = friendly

    def page(self, environ: Mapping[str, Any], error: BaseException, error_id: str) -> Tuple[str, bytes]:
        """Return Content-Type and body for a request that `error` ended; `error_id` stands in the log, too."""
        as_json = accept_header.wants_json(_text(environ, "HTTP_ACCEPT"), _text(environ, "CONTENT_TYPE"))
        if self.friendly:
            try:
                return self._friendly(environ, error, error_id, as_json)
            except Exception as failure:  # noqa: BLE001 - an exception class of the app's own may do anything
                error_log.log_app_error("the friendly error page failed", failure)
        if as_json:
            return error_page.JSON_TYPE, error_page.as_json(_STATUS, _TITLE, error_id, None)
        return error_page.HTML_TYPE, error_page.short(_TITLE, _SENTENCE, error_id)

    def _friendly(
        self, environ: Mapping[str, Any], error: BaseException, error_id: str, as_json: bool
    ) -> Tuple[str, bytes]:
        summary = masking.text(error_log.summary(error))
        if as_json:
            more: Dict[str, Any] = {"step": None, "summary": summary}
            more["traceback"] = masking.lines(error_log.app_traceback(error)).splitlines()
            return error_page.JSON_TYPE, error_page.as_json(_STATUS, _TITLE, error_id, None, **more)
        raised = exception_serializer.serialize(error, self.files)
        return error_page.HTML_TYPE, error_page.document(
            _TITLE,
            element("p", element("strong", summary)),
            element("p", "Error id, also in the log of the application: ", element("code", error_id)),
            error_page.section("Traceback", error_page.exceptions(raised)),
            error_page.section("Request", error_page.table(_request(environ))),
            error_page.section("Process", error_page.table(_process()), *_long_lists(environ)),
            error_page.friendly_note(),
        )


def _text(environ: Mapping[str, Any], name: str) -> str:
    """Return a variable of an environ that the app has had in its hands."""
    value = environ.get(name)
    return value if isinstance(value, str) else ""


def _request(environ: Mapping[str, Any]) -> List[Row]:
    return [
        ("Method", _text(environ, "REQUEST_METHOD")),
        ("Host", _text(environ, "HTTP_HOST") or _text(environ, "SERVER_NAME")),
        ("Path", _decoded(_text(environ, "SCRIPT_NAME") + _text(environ, "PATH_INFO"))),
        ("Query", masking.text(_text(environ, "QUERY_STRING"))),
    ]


def _decoded(text: str) -> str:
    """PEP 3333's native string as what it means."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _process() -> List[Row]:
    return [
        ("Interpreter", "{} ({} {})".format(sys.executable, sys.implementation.name, sys.version.split()[0])),
        ("Process", str(os.getpid())),
        ("Working directory", os.getcwd()),
    ]


def _long_lists(environ: Mapping[str, Any]) -> List[str]:
    return [
        error_page.folded("sys.path", error_page.lines([entry for entry in sys.path if isinstance(entry, str)])),
        error_page.folded("WSGI environ", error_page.table(_shown(environ))),
        error_page.folded("Environment variables, secrets hidden", error_page.table(_shown(os.environ))),
    ]


def _shown(variables: Mapping[str, Any]) -> List[Row]:
    texts = sorted((name, value) for name, value in variables.items() if isinstance(value, str))
    return [(name, masking.variable(name, value)) for name, value in texts]
