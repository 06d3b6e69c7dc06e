"""A start that failed, as people read it: step, reason, facts, the app's own traceback."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from spawner.cli.units import printable


def failure_details(failure: dict[str, Any]) -> Text:
    """What stands below the line that says what has failed.

    :param failure: as in the status answer (docs/status-json.md).
    """
    page = Text()
    page.append("\n%s" % printable(failure["summary"]))
    for name, value in failure.get("facts", {}).items():
        page.append("\n%s: %s" % (name, printable(value).replace("\n", ", ")))
    for line in printable(failure["detail"]).splitlines():
        page.append("\n    %s" % line)
    return page


def error_mark(failure: dict[str, Any]) -> str:
    """The id under which the log has the same failure."""
    return " (error %s)" % printable(failure["error_id"]) if failure["error_id"] else ""
