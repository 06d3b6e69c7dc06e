"""Fixtures of the fault tests: a server with the app request_log, loads on it, and the report of what they have met."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
sys.path.insert(0, str(Path(__file__).parent))

from load.generator import Load
from load.loaded_server import LoadCheck, LoadedServer
from load.outcome import Result
from load.report import PROPERTY, table
from support.applications import AppFolders
from support.fixtures import (  # noqa: F401
    apps,
    every_test_ends,
    httpd,
    make_httpd,
    plain_httpd,
    servers_are_checked_after_every_test,
)
from support.serving import CheckedHttpd


@pytest.fixture
def loaded(httpd: CheckedHttpd, apps: AppFolders) -> LoadedServer:  # noqa: F811
    return LoadedServer(httpd, apps.create("request_log"))


@pytest.fixture
def check_load(request: pytest.FixtureRequest) -> LoadCheck:
    """Enters a load into the report under `case`; fails where more failed or came late than may, or ran twice."""

    def check(load: Load, case: str, failed: int = 0, late: int = 0, note: str = "", least: int = 30) -> Result:
        result = load.result()
        request.node.user_properties.append((PROPERTY, {"case": case, **result.row(), "note": note}))
        assert result.sent >= least, f"{case}: hardly a load: {result}"
        assert len(result.failed) <= failed, f"{case}: at most {failed} may fail: {result}"
        assert len(result.late) <= late, f"{case}: at most {late} may be late: {result}"
        assert not result.twice, f"{case}: {result}"
        return result

    return check


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Enters what was measured without a load of its own into the report."""

    def noted(case: str, **facts: Any) -> None:
        row = {"case": case, **{name: str(fact) for name, fact in facts.items()}}
        request.node.user_properties.append((PROPERTY, row))

    return noted


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the report, from all processes that have run tests."""
    reports = [report for some in terminalreporter.stats.values() for report in some]
    rows = [
        row
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, row in report.user_properties
        if name == PROPERTY
    ]
    if rows:
        terminalreporter.section("requests under faults")
        for line in table(sorted(rows, key=lambda row: str(row["case"]))):
            terminalreporter.write_line(line)
