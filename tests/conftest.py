"""What every test of the project shares: its environment, markers, how Hypothesis searches, what only root can run."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

from tests.open_folders import scratch_folder

#: Variables with which a user changes how programs speak and look.
_PREFERENCES = {"LANG", "LANGUAGE", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM"}
_PREFERENCES |= {"COLUMNS", "LINES"}


def _use_the_same_environment_everywhere() -> None:
    """Whoever runs the tests, and where: what they and their programs take from it is the same."""
    os.umask(0o022)
    for name in list(os.environ):
        if name in _PREFERENCES or name.startswith("LC_"):
            del os.environ[name]
    os.environ.update(LC_ALL="C.UTF-8", TERM="xterm", TMPDIR=scratch_folder())
    tempfile.tempdir = os.environ["TMPDIR"]


_use_the_same_environment_everywhere()

# A busy machine may hold any example up, and what a search finds by chance must not fail somebody else's change:
# each run tries the same examples. `pytest --hypothesis-profile search` looks for others.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_root: starts processes as other users, so only root can run it")
    config.addinivalue_line("markers", "deadline(seconds): the test may take longer than the usual limit")
    config.addinivalue_line("markers", "load: puts load on a server for several seconds")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, visibly, what only root can do."""
    if os.geteuid() == 0:
        return
    left_out = [item for item in items if item.get_closest_marker("needs_root")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
