"""The numbered lines of the log as a page of the user guide."""

from __future__ import annotations

from pathlib import Path

from apache_module.log_lines import LogLine, lines_of_c, lines_of_python
from apache_module.log_remedies import REMEDIES

_START = """\
# Log messages

<!-- Generated from the sources and apache_module/log_remedies.py by `make generate`; do not edit. -->

This page is for people who have found a line with a number like `JS2045` in a log. It says what to
do about the line.

Each line that Jumpseat itself writes has such a number. Search for the number on this page. In the
column *text*, `…` stands for a part that changes from line to line. If the column *what to do* is
empty, or says *nothing*, you need not do anything.

- **Where the lines are:** see [guide.md](guide.md#logs).
- **Which lines are written:** for numbers below 3000, Apache's `LogLevel` decides (for this module
  alone: `LogLevel passenger:info`). For the other numbers, `PassengerLogLevel` decides.
- **The *error id* in a line** is also on the error page that the visitor has seen.
"""

_SECTIONS = (
    (1000, "Apache: configuration and the process of the spawner"),
    (2000, "Apache: requests"),
    (3000, "The spawner"),
    (3500, "The spawner: processes of apps"),
)


def lines(checkout: Path) -> list[LogLine]:
    """Every numbered line, in the order of the numbers.

    :param checkout: the project's folder.
    """
    found = [
        *lines_of_c(checkout / "apache_module" / "src"),
        *lines_of_python(checkout / "spawner"),
    ]
    return sorted(found, key=lambda line: line.number)


def page(checkout: Path) -> str:
    """The page's text.

    :param checkout: the project's folder.
    """
    parts = [_START]
    found = lines(checkout)
    limits = [start for start, _ in _SECTIONS[1:]] + [10000]
    for (start, title), limit in zip(_SECTIONS, limits):
        parts.append("\n## %s\n\n| number | level | text | what to do |\n|---|---|---|---|\n" % title)
        parts.extend(_row(line) for line in found if start <= line.number < limit)
    return "".join(parts)


def _row(line: LogLine) -> str:
    text = line.text.replace("|", "\\|").replace("<", "&lt;")
    return "| JS%d | %s | %s | %s |\n" % (line.number, line.level, text, REMEDIES.get(line.number, ""))
