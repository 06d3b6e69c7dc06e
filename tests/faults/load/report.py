"""The table at the end of a run: one line for each case, whichever process has run it."""

from __future__ import annotations

from typing import Iterable

PROPERTY = "faults"
COLUMNS = ("case", "sent", "HTTP/2", "failed", "late", "closed while idle", "p50 ms", "p99 ms", "longest ms", "note")


def table(rows: Iterable[dict[str, str]]) -> list[str]:
    """Lines with aligned columns; numbers to the right."""
    cells = [list(COLUMNS), *([row.get(name, "") for name in COLUMNS] for row in rows)]
    widths = [max(len(line[position]) for line in cells) for position in range(len(COLUMNS))]
    return ["  ".join(_aligned(text, width) for text, width in zip(line, widths)).rstrip() for line in cells]


def _aligned(text: str, width: int) -> str:
    return text.rjust(width) if text.isdigit() else text.ljust(width)
