"""The loaders that the suite is run against."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

import spawner
from spawner.loaders import python as python_loader
from tests.interpreters import find_interpreters

APPS = Path(__file__).parent / "apps"
START = str(Path(python_loader.__file__).with_name("start.py"))  # the Python loader
ROOT = str(Path(spawner.__file__).parent) + "/"  # below it is all that the Python loader is made of
ABILITIES = frozenset(("fork", "threads", "execute", "out-of-band-work", "backtraces"))


@dataclass(frozen=True)
class LoaderUnderTest:
    """One loader under one interpreter.

    :ivar command: interpreter and program.
    :ivar apps: the folder with the probe (README.md).
    :ivar abilities: what it offers of ABILITIES.
    """

    name: str
    command: tuple[str, ...]
    apps: Path
    abilities: frozenset[str] = ABILITIES

    def entry(self, name: str) -> str:
        """Return the name of an entry file, such as `probe.py` for `probe`."""
        (found,) = self.apps.glob(name + ".*")
        return found.name


def loaders_of(config: pytest.Config) -> list[LoaderUnderTest]:
    """Return the one that the command line names, or ours."""
    command = config.getoption("--loader")
    if command is None:
        return [
            LoaderUnderTest(name, (interpreter, START), APPS / "python")
            for name, interpreter in find_interpreters().items()
        ]
    missing = frozenset(filter(None, config.getoption("--without").split(",")))
    assert missing <= ABILITIES, f"--without takes {', '.join(sorted(ABILITIES))}"
    apps = Path(config.getoption("--apps")).absolute()
    return [LoaderUnderTest("loader", tuple(shlex.split(command)), apps, ABILITIES - missing)]
