"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Protocol

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    :ivar level: OK, WARNING (it may work, or hurt later) or ERROR (it does not work).
    :ivar subject: what was looked at.
    :ivar told: what is the case.
    :ivar remedy: what to do about it; empty where nothing is to be done.
    """

    level: str
    subject: str
    told: str
    remedy: str = ""


class Check(Protocol):
    """One part of an installation."""

    def run(self) -> Iterator[Finding]:
        """Look, and tell. Nothing is changed, and nothing of an app is run."""
