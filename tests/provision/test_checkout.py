"""`make demo` and the start of `make test` on a machine with nothing but git and make, as the README promises."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Iterator

from bare_debian import BareDebian

from support.ports import Port

#: Of the tests, some that run apps as other users.
UNIT = ("processes/test_launcher.py", "daemon/test_daemon.py", "cli/test_passenger_names.py")
INTEGRATION = ("test_user_switching.py", "test_mpms.py")


@contextlib.contextmanager
def demo(tree: BareDebian, output: Path, seconds: float) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The demo, from the command up to its first answer; Ctrl-C at the end.

    :param seconds: how long the first answer may take.
    """
    port = Port()
    process = tree.start("make demo PORT=%d" % port.number, output)
    url = "http://127.0.0.1:%d/" % port.number
    try:
        yield process, wait_for_answer(url, process, output, seconds)
    finally:
        port.release()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
        wait_for_end(tree)


def wait_for_end(tree: BareDebian) -> None:
    """Wait until the tree has no process of ours any more.

    :raises AssertionError: it still has some after a while; naming them.
    """
    deadline = time.monotonic() + 60
    while tree.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert tree.processes() == []


def wait_for_answer(url: str, process: subprocess.Popen[bytes], output: Path, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    why = "nothing listens"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                body: bytes = answer.read()
                return body.decode("utf-8")
        except urllib.error.HTTPError as error:
            why = str(error)
            break
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)  # nothing tells that a port is open but trying
    raise AssertionError("%s: %s; the demo printed:\n%s" % (url, why, output.read_text(errors="replace")))


def test_one_command_sets_up_and_serves_the_sample_app_and_a_second_does_no_set_up_again(
    tree: BareDebian, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with demo(tree, first, 420) as (_, page):
        assert "<h1>It works</h1>" in page
        assert "jumpseat: installing" in first.read_text()
    with demo(tree, second, 60) as (_, page):
        assert "<h1>It works</h1>" in page
    printed = second.read_text()
    assert "installing" not in printed
    assert "making" not in printed
    assert "touch" in printed.lower()


def test_the_interrupt_key_ends_every_process(tree: BareDebian, tmp_path: Path) -> None:
    with demo(tree, tmp_path / "output", 420):
        assert any("apache2" in line for line in tree.processes())
        assert any("jumpseat: worker of" in line for line in tree.processes())
    assert tree.processes() == []
    assert tree.run("ls -d /run/jumpseat-demo-* 2>/dev/null || true") == "", "nor is a folder left"


def test_an_app_of_the_demo_does_not_run_as_root(tree: BareDebian, tmp_path: Path) -> None:
    nobody = tree.run("id -u nobody").strip()
    with demo(tree, tmp_path / "output", 420) as (_, page):
        assert "<dt>Runs as user id</dt><dd>%s</dd>" % nobody in page


def test_the_systems_apache_is_neither_started_nor_enabled_by_the_set_up(tree: BareDebian) -> None:
    tree.run("make setup", seconds=420)
    assert tree.processes() == []
    assert tree.run("ls /etc/rc2.d | grep '^S.*apache2$' || true") == ""


def test_the_tools_install_and_the_checks_pass(tree: BareDebian) -> None:
    assert "All checks passed!" in tree.run("make lint", seconds=420)


def test_unit_tests_run_apps_as_users_that_cannot_enter_the_checkout(tree: BareDebian) -> None:
    run(tree, *("tests/unit/" + name for name in UNIT))


def test_tests_with_an_httpd_run_apps_as_users_that_cannot_enter_the_checkout(tree: BareDebian) -> None:
    run(tree, *("tests/integration/" + name for name in INTEGRATION))


def run(tree: BareDebian, *files: str) -> None:
    """Run test files in the tree. Raises AssertionError with what they print where they fail."""
    tree.run("make setup && .venv/bin/python -m pytest -n 2 --timeout 120 %s" % " ".join(files), seconds=420)
