"""The start of `make test` on the same machine: tools, checks, and of the tests some that run apps as other users."""

from __future__ import annotations

from bare_debian import BareDebian

UNIT = ("processes/test_launcher.py", "daemon/test_daemon.py", "cli/test_passenger_names.py")
INTEGRATION = ("test_user_switching.py", "test_mpms.py")


def test_the_tools_install_and_the_checks_pass(tree: BareDebian) -> None:
    assert "All checks passed!" in tree.run("make lint", seconds=420)


def test_unit_tests_run_apps_as_users_that_cannot_enter_the_checkout(tree: BareDebian) -> None:
    run(tree, *("tests/unit/" + name for name in UNIT))


def test_tests_with_an_httpd_run_apps_as_users_that_cannot_enter_the_checkout(tree: BareDebian) -> None:
    run(tree, *("tests/integration/" + name for name in INTEGRATION))


def run(tree: BareDebian, *files: str) -> None:
    """Run test files in the tree. Raises AssertionError with what they print where they fail."""
    tree.run("make setup && .venv/bin/python -m pytest -n 2 --timeout 120 %s" % " ".join(files), seconds=420)
