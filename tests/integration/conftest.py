"""The integration tests have the fixtures of the harness."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from support.fixtures import (  # noqa: F401
    apps,
    every_test_ends,
    httpd,
    make_httpd,
    module_for_other_users,
    plain_httpd,
    probe,
    servers_are_checked_after_every_test,
    shared_apps,
    shared_httpd,
    shared_probe,
)
