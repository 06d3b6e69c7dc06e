"""A numbered line of the log, as the sources have it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLACEHOLDER = re.compile(r"%[-+ #0]*[\d.]*(?:l|ll|h|z)?[a-zA-Z]")


@dataclass(frozen=True)
class LogLine:
    """One line.

    :ivar number: its own number.
    :ivar level: as Apache's LogLevel names it.
    :ivar text: what it says; an ellipsis stands for what is filled in.
    """

    number: int
    level: str
    text: str


def readable(template: str) -> str:
    """The text of a printf-like template in one line, with an ellipsis for each value.

    :param template: the template, as it stands in the source.
    """
    text = " ".join(_PLACEHOLDER.sub("…", template).replace("%%", "%").split())
    return re.sub("…[… ]*…", "…", text)
