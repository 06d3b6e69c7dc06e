"""`jumpseat module-config`, in copies of the packages: whether a module was built beside them is part of the case."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout in which nothing was built."""
    for package in ("apache_module", "spawner"):
        shutil.copytree(CHECKOUT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def module_config(copy: Path) -> subprocess.CompletedProcess[str]:
    program = "from spawner.cli.main import jumpseat; jumpseat(prog_name='jumpseat')"
    command = [sys.executable, "-c", program, "module-config"]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=60)


def test_the_module_that_was_built_is_loaded_by_its_absolute_path(copy: Path) -> None:
    (copy / "build").mkdir()
    (copy / "build" / "mod_passenger.so").touch()
    answer = module_config(copy)
    assert answer.returncode == 0
    assert 'LoadModule passenger_module "%s/build/mod_passenger.so"' % copy in answer.stdout.splitlines()


def test_a_module_that_was_not_built_is_named_in_one_line_with_the_remedy(copy: Path) -> None:
    answer = module_config(copy)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.splitlines() == ["Error: %s/build/mod_passenger.so is missing: run `make setup`" % copy]
