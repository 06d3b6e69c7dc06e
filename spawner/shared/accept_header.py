"""Whether a client wants its errors as JSON (RFC 9110, 12.5.1).

The module in httpd decides alike (core/accept.c). Both are tested with tests/protocol/accept_header.tsv.
"""

from typing import Optional, Tuple

_JSON = "application/json"
_HTML = ("text/html", "application/xhtml+xml")
_WILDCARD = "*/*"


def wants_json(accept: Optional[str], content_type: Optional[str]) -> bool:
    """Whether `Accept` gives JSON the larger quality.

    Of equal ones the one that is named counts, and of two that are named the first. A client without preference gets
    what it sends.

    `accept`, `content_type`: the headers' values, None or empty where the client sent none.
    """
    json, html = (0, 0.0, 0), (0, 0.0, 0)
    for position, part in enumerate((accept or "").split(",")):
        name, quality = _range(part)
        json = max(json, (_precision(name, _is_json(name), "application/*"), quality, -position))
        html = max(html, (_precision(name, name in _HTML, "text/*"), quality, -position))
    json, html = json if json[0] else (0, 0.0, 0), html if html[0] else (0, 0.0, 0)
    if json[1] != html[1]:
        return json[1] > html[1]
    if json[1] > 0 and json[0] != html[0]:
        return json[0] > html[0]
    if json[1] > 0 and json[0] == 3:
        return json[2] > html[2]
    return _is_json(_essence(content_type or ""))


def _precision(name: str, is_it: bool, wildcard: str) -> int:
    return 3 if is_it else 2 if name == wildcard else 1 if name == _WILDCARD else 0


def _is_json(name: str) -> bool:
    return name == _JSON or (name.endswith("+json") and name != "+json")


def _essence(value: str) -> str:
    return value.split(";", 1)[0].strip().lower()


def _range(part: str) -> Tuple[str, float]:
    quality = 1.0
    for parameter in part.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            quality = _number(value)
    return _essence(part), quality


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 1.0
    return min(1.0, max(0.0, number)) if number == number else 0.0
