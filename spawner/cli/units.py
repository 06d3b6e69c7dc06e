"""Durations, sizes and foreign text as people read them."""

from __future__ import annotations

from typing import Optional


def duration(seconds: Optional[float]) -> str:
    """`4 s`, `3 min 20 s`, `5 h 2 min`, `12 d 3 h`; a dash for what is not known."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    for size, unit, smaller, smaller_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            text = "%d %s" % (whole // size, unit)
            return "%s %d %s" % (text, rest, smaller_unit) if rest else text
    return "%d s" % whole


def megabytes(size: Optional[int]) -> str:
    """`30.4 M` (of 1024 x 1024 bytes); a dash for what is not known."""
    return "-" if size is None else "%.1f M" % (size / 1048576)


def counted(number: int, noun: str) -> str:
    """`1 app`, `2 apps`."""
    return "%d %s" % (number, noun if number == 1 else noun + "s")


def printable(text: str) -> str:
    """Text from apps and folders without what could steer a terminal; line ends and tabs stay."""
    return "".join(mark if mark.isprintable() or mark in "\n\t" else "\N{REPLACEMENT CHARACTER}" for mark in text)
