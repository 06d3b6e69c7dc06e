"""Fixtures of the tests of programs in languages whose compilers are large: those of tests/integration."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from support.fixtures import (  # noqa: F401
    every_test_ends,
    make_httpd,
    plain_httpd,
    servers_are_checked_after_every_test,
    shared_apps,
    shared_httpd,
)
