"""Fixtures of every suite that runs a private httpd: servers, apps, and the checks after every test."""

from __future__ import annotations

import faulthandler
import os
import signal
from contextlib import ExitStack
from types import FrameType
from typing import Callable, Iterator

import pytest

from support.applications import AppFolder, AppFolders
from support.module_lines import module_config_lines
from support.serving import CheckedHttpd, check_all_live, checked_httpd

#: Seconds that one test may take, unless it is marked with `deadline`.
USUAL_DEADLINE = 120.0


@pytest.fixture(autouse=True)
def every_test_ends(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that hangs, with the stack of where it does."""
    marker = request.node.get_closest_marker("deadline")

    def give_up(number: int, frame: FrameType | None) -> None:
        faulthandler.dump_traceback()
        pytest.fail(f"{request.node.name} has not ended in time")  # no exception that a test would take for another

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, marker.args[0] if marker else USUAL_DEADLINE)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def servers_are_checked_after_every_test(every_test_ends: None) -> Iterator[None]:
    yield
    check_all_live()


@pytest.fixture(scope="session")
def module_for_other_users() -> None:
    """For tests with an httpd of another user: what that needs is built before the time of the test counts."""
    if os.geteuid() == 0:
        module_config_lines("nobody")


@pytest.fixture
def make_httpd(every_test_ends: None) -> Iterator[Callable[..., CheckedHttpd]]:
    """Make a server, not yet started, with our module; see `checked_httpd` for the arguments."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(checked_httpd(**options))


@pytest.fixture
def httpd(make_httpd: Callable[..., CheckedHttpd]) -> CheckedHttpd:
    """One server, not yet started, with our module."""
    return make_httpd()


@pytest.fixture
def plain_httpd(make_httpd: Callable[..., CheckedHttpd]) -> CheckedHttpd:
    """One server, not yet started, without our module."""
    return make_httpd(with_module=False)


@pytest.fixture
def apps(httpd: CheckedHttpd) -> AppFolders:
    """Makes app folders for `httpd`."""
    return AppFolders(httpd.folder / "apps")


@pytest.fixture
def probe(httpd: CheckedHttpd, apps: AppFolders) -> AppFolder:
    """The universal test app, in a folder of its own, not yet in any site."""
    return apps.create("probe")


@pytest.fixture(scope="module")
def shared_httpd() -> Iterator[CheckedHttpd]:
    """One server, not yet started, with our module, for all tests of a file; checked after each of them."""
    with checked_httpd() as server:
        yield server


@pytest.fixture(scope="module")
def shared_apps(shared_httpd: CheckedHttpd) -> AppFolders:
    """Makes app folders for `shared_httpd`."""
    return AppFolders(shared_httpd.folder / "apps")


@pytest.fixture(scope="module")
def shared_probe(shared_apps: AppFolders) -> AppFolder:
    """The probe app of `shared_httpd`, not yet in any site."""
    return shared_apps.create("probe")
