"""What a visitor sees when an app did not start."""

from __future__ import annotations

import html
import string

from spawner.errors import StartFailure

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:50em;padding:0 1em;color:#222}"
    "h1{font-size:1.5em}pre{background:#f4f4f4;padding:1em;overflow:auto;font-size:14px}"
    "th{text-align:left;padding-right:1em;vertical-align:top}td{word-break:break-all}"
)
_SHORT = string.Template(
    """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>This application could not be started</title>
<style>$style</style></head>
<body><h1>This application could not be started</h1>
<p>The cause stands in the log of the web server, under the error id <code>$error_id</code>.</p>
</body></html>
"""
)
_FRIENDLY = string.Template(
    """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>$app_root could not be started</title>
<style>$style</style></head>
<body><h1>This application could not be started</h1>
<p><strong>$summary</strong></p>
<p>Step: <code>$step</code>. Error id, also in the log: <code>$error_id</code>.</p>
$detail
<table>$facts</table>
<p>This page is shown because PassengerFriendlyErrorPages is on, which it is by default when PassengerAppEnv is
development. Mend the app and touch its restart.txt, or wait: it is tried again by itself.</p>
</body></html>
"""
)


def short_page(failure: StartFailure) -> bytes:
    """The page that names no cause."""
    return _SHORT.substitute(style=_STYLE, error_id=html.escape(failure.error_id)).encode()


def friendly_page(app_root: str, failure: StartFailure) -> bytes:
    """The page that says everything; whatever came from the app is escaped."""
    detail = "<pre>%s</pre>" % html.escape(failure.detail) if failure.detail else ""
    row = "<tr><th>%s</th><td>%s</td></tr>"
    rows = [row % (html.escape(name), html.escape(value)) for name, value in failure.facts]
    page = _FRIENDLY.substitute(
        style=_STYLE,
        app_root=html.escape(app_root),
        summary=html.escape(failure.summary),
        step=html.escape(failure.step),
        error_id=html.escape(failure.error_id),
        detail=detail,
        facts="".join(rows),
    )
    return page.encode("utf-8", "replace")


def response(body: bytes, framed: bool, head_only: bool) -> bytes:
    """The whole response (docs/protocol.md, section 3).

    :param framed: whether the client asked for a framed body.
    :param head_only: the request's method is HEAD.
    """
    head = (
        "Status: 500 Internal Server Error\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        "Content-Length: %d\r\n"
        "Cache-Control: no-cache, no-store, must-revalidate\r\n\r\n" % len(body)
    ).encode()
    if head_only:
        body = b""
    if not framed:
        return head + body
    data = len(body).to_bytes(4, "big") + body if body else b""
    return head + data + b"\0\0\0\0"
