"""Whether a client wants its errors as JSON (RFC 9110, section 12.5.1)."""

from typing import Optional, Tuple

_JSON = "application/json"
_HTML = "text/html"


def wants_json(accept: Optional[str], content_type: Optional[str]) -> bool:
    """Whether `Accept` puts JSON before HTML; without one, whether the request itself is JSON.

    `accept`, `content_type`: the headers' values, None or empty where the client sent none.
    """
    if accept is None or not accept.strip():
        return _essence(content_type or "") == _JSON
    return _quality(accept, _JSON) > _quality(accept, _HTML)


def _essence(value: str) -> str:
    return value.split(";", 1)[0].strip().lower()


def _quality(accept: str, media_type: str) -> float:
    """Return the quality that the most specific range of `accept` gives a type; 0: not wanted."""
    wildcard = media_type.split("/")[0] + "/*"
    precedence = {"*/*": 1, wildcard: 2, media_type: 3}
    best = (0, 0.0)
    for part in accept.split(","):
        name, quality = _range(part)
        best = max(best, (precedence.get(name, 0), quality))
    return best[1] if best[0] else 0.0


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
        return 0.0
    return min(1.0, max(0.0, number)) if number == number else 0.0
