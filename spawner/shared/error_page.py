"""The look of every error page, and the pages for errors within a request.

No script, nothing from elsewhere, readable without styles. What is shown of an exception, and what is hidden of it,
is decided where it is collected (exception_serializer.py, masking.py).
"""

from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from .constants import ERROR_PAGE_POLICY
from .exception_serializer import CAUSE, CONTEXT, PART, Frame, SerializedException

Row = Tuple[str, str]

HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)
# PassengerErrorOverride removes this header, if it has this value, together with the page.
POLICY = ("Content-Security-Policy", ERROR_PAGE_POLICY)
HTML_TYPE = "text/html; charset=utf-8"
JSON_TYPE = "application/json"

_UNPRINTABLE: Dict[int, int] = {number: 0x2400 + number for number in range(32) if number not in (9, 10)}
_UNPRINTABLE[127] = 0x2421
_UNPRINTABLE.update({number: 0xFFFD for number in range(128, 160)})
_SPECIAL = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;"))


class Markup(str):
    """Text that is HTML already: whatever else is put into a page is escaped."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """Return `text` as HTML shows it; controls, which HTML does not allow, become visible signs."""
    if isinstance(text, Markup):
        return text
    shown = text.translate(_UNPRINTABLE)
    for character, entity in _SPECIAL:
        shown = shown.replace(character, entity)
    return Markup(shown)


def join(parts: Iterable[str]) -> Markup:
    """Return the parts one behind the other."""
    return Markup("".join(escape(part) for part in parts))


def element(tag: str, *children: str, **attributes: str) -> Markup:
    """Return an element; `tag` and the attributes' names are the programmer's (`class_` for class), values are text."""
    given = "".join(' {}="{}"'.format(name.rstrip("_"), escape(value)) for name, value in attributes.items())
    return Markup("<{}{}>{}</{}>".format(tag, given, join(children), tag))


def encode(page: Markup) -> bytes:
    """Return the bytes of a page; characters that no encoding has (of undecodable names) become question marks."""
    return page.encode("utf-8", "replace")


# The pages

_STYLE = Markup(
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:60em;padding:0 1em}"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}"
    "pre,code{font-family:ui-monospace,monospace;font-size:14px}"
    "pre{padding:.7em;overflow:auto;background:#8881;border-left:3px solid #8886}"
    "pre mark{font-weight:bold;color:inherit;background:#f804}"
    "th{text-align:left;padding-right:1em;vertical-align:top;font-weight:normal;opacity:.75}"
    "td{overflow-wrap:anywhere;white-space:pre-wrap}.app{font-weight:bold}"
    "summary{cursor:pointer}details{margin:.5em 0}"
)
_LINKS = {
    CAUSE: "This was the direct cause of:",
    CONTEXT: "While that was being handled:",
    PART: "One of the exceptions in the group:",
}


def document(title: str, *content: str) -> bytes:
    """Return a whole page with `title` as its heading."""
    head = join(
        [
            Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<meta name="robots" content="noindex">'),
            element("title", title),
            element("style", _STYLE),
        ]
    )
    body = element("body", element("main", element("h1", title), *content))
    return encode(Markup("<!DOCTYPE html>\n" + element("html", element("head", head), "\n", body, lang="en") + "\n"))


def as_json(status: int, title: str, error_id: str, retry_after: Optional[int], **more: Any) -> bytes:
    """Return the same for programs. `retry_after`: seconds, None where nobody knows; `more`: for friendly pages."""
    import json  # not before the first failure: an app may do without it

    error: Dict[str, Any] = {"status": status, "title": title, "id": error_id, "retry_after": retry_after}
    error.update(more)
    return json.dumps({"error": error}).encode("ascii") + b"\n"


def short(title: str, sentence: str, error_id: str) -> bytes:
    """Return the page that names no cause."""
    where = element(
        "p",
        "If this is your site: you find the cause in the error log of the web server or of the application, under the "
        "error id ",
        element("code", error_id),
        ".",
    )
    return document(title, element("p", sentence), where)


def plain(title: str, sentence: str) -> bytes:
    """Return a page that says one sentence."""
    return document(title, element("p", sentence))


def section(title: str, *content: str) -> Markup:
    """Return a part of a page under its own heading."""
    return element("section", element("h2", title), *content)


def folded(title: str, *content: str) -> Markup:
    """Return a part of a page that is opened by its title."""
    return element("details", element("summary", title), *content)


def table(rows: Iterable[Row]) -> Markup:
    """Return names and values side by side."""
    lines = [element("tr", element("th", name, scope="row"), element("td", value)) for name, value in rows]
    return element("table", element("tbody", *lines)) if lines else Markup("")


def lines(texts: Iterable[str]) -> Markup:
    """Return one text per line."""
    return element("pre", "\n".join(texts))


def friendly_note() -> Markup:
    """Return why so much is shown."""
    return element(
        "p",
        "This page is shown because PassengerFriendlyErrorPages is on, as it is by default when PassengerAppEnv is "
        "development. Visitors of a public site should not see it.",
    )


def exceptions(raised: Sequence[SerializedException]) -> Markup:
    """Return tracebacks, the first cause first: the app's own frames with their source, frames of libraries folded."""
    return join(_exception(each) for each in raised)


def _exception(raised: SerializedException) -> Markup:
    parts: List[str] = [element("p", _LINKS[raised.link])] if raised.link == PART else []
    libraries: List[Frame] = []
    for frame in raised.frames:
        if frame.of_app:
            parts += _library_frames(libraries)
            libraries = []
            parts.append(_place(frame, "app"))
        else:
            libraries.append(frame)
    parts += _library_frames(libraries)
    if raised.left_out:
        parts.append(element("p", "{} frames in the middle are left out.".format(raised.left_out)))
    parts.append(element("pre", element("strong", raised.title)))
    if raised.link in (CAUSE, CONTEXT):
        parts.append(element("p", _LINKS[raised.link]))
    return join(parts)


def _library_frames(frames: Sequence[Frame]) -> List[str]:
    if not frames:
        return []
    title = "{} in libraries, the last in {}".format(
        "1 frame" if len(frames) == 1 else "{} frames".format(len(frames)), frames[-1].file
    )
    return [folded(title, *[_place(frame, "library") for frame in frames])]


def _place(frame: Frame, kind: str) -> Markup:
    where = "{}, line {}".format(frame.file, frame.line) if frame.line else frame.file
    inside = ", in {}".format(frame.function) if frame.function else ""
    lines = [_source_line(frame, frame.first + index, line) for index, line in enumerate(frame.source)]
    source = element("pre", *lines) if lines else Markup("")
    return join([element("p", element("code", where), inside, class_=kind), source])


def _source_line(frame: Frame, number: int, line: str) -> Markup:
    text = escape("{:5d}  {}".format(number, line))
    return join([element("mark", text) if number == frame.line else text, "\n"])
