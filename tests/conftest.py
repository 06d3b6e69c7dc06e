"""What every test of the project shares: markers, and which tests a normal user cannot run."""

from __future__ import annotations

import os

import pytest


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
