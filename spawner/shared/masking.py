"""Secrets are not shown: not by the names of variables, not in URLs, not in lines of source."""

import re

HIDDEN = "[hidden]"
_SHOWN_NAMES = frozenset(("PWD", "OLDPWD"))  # which the pattern for passwords would take for one
_SECRET = (
    r"(?:key(?!board)|secret|pass(?!enger)|pwd|token|credential|auth(?!or)|private|salt|signature|session|cookie"  # nosec B105  # a pattern for names
    r"|dsn|jwt)"
)
_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)
# What is looked through may be made to take long: each pattern begins in few places, and none goes far from there.
_URL_PASSWORD = re.compile(r"((?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]+://[^/?#\s:@'\"]*:)(?:(?!://)[^@\s'\"])*(@)")
_ASSIGNED = re.compile(r"(?i)((?:password|passwd|pwd|secret|token|api_?key|access_?key)=)[^&;\s'\"]+")
_LITERAL = re.compile(
    r"(?i)(" + _SECRET + r"\w{0,64}['\"]?\]?\s{0,64}(?:[:=,]|:\s{0,64}\w{1,64}\s{0,64}=)\s{0,64}[bru]{0,3})"
    r"(['\"`])(?:(?!\2).)+\2"
)
_PEM = "-----BEGIN"


def variable(name: str, value: str) -> str:
    """Return the value of an environment variable as it may be shown."""
    if not value or name in _SHOWN_NAMES:
        return value
    if _SECRET_NAME.search(name) or _PEM in value:
        return HIDDEN
    return text(value)


def text(value: str) -> str:
    """Return `value` without the passwords in URLs and in `password=...`."""
    return _ASSIGNED.sub(r"\1" + HIDDEN, _URL_PASSWORD.sub(r"\1" + HIDDEN + r"\2", value))


def source_line(line: str) -> str:
    """Return a line of source without the literals that are assigned to names of secrets."""
    return text(_LITERAL.sub(r"\1\2" + HIDDEN + r"\2", line))


def lines(value: str) -> str:
    """Return several lines, of a traceback or of output, without what `source_line` hides."""
    return "\n".join(source_line(line) for line in value.split("\n"))
