"""Fixtures of the fault tests: a server with the ledger app, loads on it, and the report of what they have met."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Protocol, Sequence

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
sys.path.insert(0, str(Path(__file__).parent))

from load.generator import Load
from load.kinds import MIXED, Kind
from load.outcome import Result
from load.report import PROPERTY, table
from support.applications import AppFolder, AppFolders
from support.fixtures import (  # noqa: F401
    apps,
    every_test_ends,
    httpd,
    make_httpd,
    plain_httpd,
    servers_are_checked_after_every_test,
)
from support.serving import CheckedHttpd
from support.status import wait_for_workers

#: How many times the long variants repeat themselves; `make soak` sets what the documentation has figures of.
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
WORKERS = 3
GLOBALS = "PassengerMaxPoolSize 6\nMaxKeepAliveRequests 0\nKeepAliveTimeout 5"
SITE = f"PassengerMinInstances {WORKERS}\n<Location /direct>\nPassengerBufferUpload off\n</Location>"


@dataclass
class Burdened:
    """A server, not yet started, and the ledger app, which will be its site `site.example`."""

    server: CheckedHttpd
    app: AppFolder

    def start(self, body: str = "", globals_text: str = GLOBALS) -> None:
        """Start, with so many workers as the site wants at least."""
        self.server.add(globals_text)
        self.server.site(document_root=self.app.public, body=f"{SITE}\n{body}")
        self.server.start()
        assert self.server.get("/fast?id=first").status == 200
        wait_for_workers(self.server, WORKERS)

    def load(self, kinds: Sequence[Kind] = MIXED, clients: int = 10, pause: float = 0.01) -> Load:
        return Load(self.server.port, self.app.events, kinds, clients, pause)


@pytest.fixture
def burdened(httpd: CheckedHttpd, apps: AppFolders) -> Burdened:  # noqa: F811
    return Burdened(httpd, apps.create("ledger"))


class Judge(Protocol):
    """Judges a load that has ended."""

    def __call__(self, load: Load, case: str, failed: int = 0, late: int = 0, note: str = "") -> Result: ...


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """Enters a load into the report under `case`; fails where more failed or came late than may, or ran twice."""

    def judged(load: Load, case: str, failed: int = 0, late: int = 0, note: str = "") -> Result:
        result = load.result()
        request.node.user_properties.append((PROPERTY, {"case": case, **result.row(), "note": note}))
        assert result.sent >= 30, f"{case}: hardly a load: {result}"
        assert len(result.failed) <= failed, f"{case}: at most {failed} may fail: {result}"
        assert len(result.late) <= late, f"{case}: at most {late} may be late: {result}"
        assert not result.twice, f"{case}: {result}"
        return result

    return judged


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
