"""The programs as a shell starts them, with outputs that are closed or cannot be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from instance_registry import Registry

AsLine = Callable[[dict[str, Any]], bytes]
JUMPSEAT = Path(sys.executable).with_name("jumpseat")
COMMANDS = ["--help", "about", "about --json", "list-instances --registry /nowhere"]


def shell(line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_output_is_no_error(command: str) -> None:
    done = shell(f"{JUMPSEAT} {command} >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_goes_nowhere_where_the_output_is_closed(tmp_path: Path) -> None:
    done = shell(f"{JUMPSEAT} validate-install --registry {tmp_path} --httpd /nowhere >&-")
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_cannot_be_written_is_one_line_and_1(command: str) -> None:
    done = shell(f"{JUMPSEAT} {command} >/dev/full")
    assert (done.returncode, done.stderr) == (1, "Error: The output cannot be written: No space left on device\n")


@pytest.mark.parametrize("options", ["", "--json", "--watch 0.2 | head -5"])
def test_letters_that_the_locale_lacks_are_escaped(
    registry: Registry, answer: dict[str, Any], as_line: AsLine, options: str
) -> None:
    answer["groups"][0]["name"] = "/srv/b\u00fccher (production)"
    registry.add("httpd-1", as_line(answer))
    done = shell(f"PYTHONIOENCODING=ascii timeout 30 {JUMPSEAT} status --registry {registry.folder} {options}")
    assert "/srv/b\\" in done.stdout
    assert done.stderr == ""


def test_nothing_is_said_where_nobody_reads_on() -> None:
    done = shell(f"{JUMPSEAT} validate-install --httpd /nowhere | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("1\n", "")
