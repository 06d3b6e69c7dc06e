"""What checks find, how it is shown, and the exit status that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Protocol, Sequence

from rich.console import Console
from rich.text import Text

from spawner.cli.console import counted, printable

OK, WARNING, ERROR = "ok", "warning", "error"
EXIT_OK, EXIT_ERRORS, EXIT_WARNINGS = 0, 1, 2
_STYLES = {OK: "green", WARNING: "yellow", ERROR: "bold red"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    :ivar level: OK, WARNING (it may work, or hurt later) or ERROR (it does not work).
    :ivar subject: what was looked at.
    :ivar told: what is the case (the name in the JSON answer, docs/tools.md).
    :ivar remedy: what to do about it; empty where nothing is to be done.
    """

    level: str
    subject: str
    told: str
    remedy: str = ""


class Check(Protocol):
    """One part of an installation."""

    def run(self) -> Iterator[Finding]:
        """Yield what is found. Nothing is changed, and nothing of an app is run."""


def exit_status(found: Sequence[Finding]) -> int:
    """The worst of what was found."""
    levels = {finding.level for finding in found}
    return EXIT_ERRORS if ERROR in levels else EXIT_WARNINGS if WARNING in levels else EXIT_OK


def report(found: Sequence[Finding], console: Console, summary: bool) -> None:
    """Print a line for each, with its remedy below.

    :param summary: whether the last line has the counts.
    """
    for finding in found:
        line = Text("%-8s" % finding.level, style=_STYLES[finding.level])
        line.append("%s: %s" % (finding.subject, printable(finding.told)), style="default not bold")
        console.print(line)
        if finding.remedy:
            console.print(Text("          %s" % finding.remedy))
    if summary:
        count = {level: sum(finding.level == level for finding in found) for level in _STYLES}
        words = "%d in order, %s, %s" % (count[OK], counted(count[WARNING], "warning"), counted(count[ERROR], "error"))
        console.print(Text("\n%s" % words, style="bold"))
