"""Servers that run under the checks: started here, checked after each test, stopped and checked at the end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from support.checks import Checks
from support.httpd import Httpd
from support.module_lines import module_config_lines


class CheckedHttpd(Httpd):
    """An Httpd whose `start` begins the checks."""

    checks: Checks | None = None

    def start(self) -> CheckedHttpd:
        super().start()
        self.checks = Checks(self)
        return self


#: All servers of this test process that have not been cleaned up yet.
LIVE: list[CheckedHttpd] = []


@contextmanager
def checked_httpd(mpm: str = "event", user: str = "", with_module: bool = True) -> Iterator[CheckedHttpd]:
    """A server, not yet started; at the end it is stopped, and AssertionError says what was wrong with it."""
    server = CheckedHttpd(module_config_lines(user) if with_module else "", mpm, user)
    LIVE.append(server)
    try:
        yield server
        complain(server.checks.final() if server.checks else [])
    finally:
        LIVE.remove(server)
        server.clean_up()


def check_all_live() -> None:
    """After each test: what is wrong with the servers that go on to serve the next one."""
    for server in LIVE:
        if server.checks is not None and server.process is not None:
            complain(server.checks.between_tests())


def complain(found: list[str]) -> None:
    assert not found, "after the test:\n  " + "\n  ".join(found)
