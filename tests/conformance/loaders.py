"""The loaders that the suite is run against."""

from __future__ import annotations

import functools
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import spawner
from spawner import loaders
from spawner.app_types import APP_TYPES, CAPABILITIES
from spawner.loaders import program as program_loader
from spawner.loaders import python as python_loader
from tests.interpreters import interpreters_to_test, rubies_to_test

APPS = Path(__file__).parent / "apps"
START = str(Path(python_loader.__file__).with_name("start.py"))  # the Python loader
RUBY_START = str(Path(loaders.__file__).with_name("ruby") / "start.rb")
ROOT = str(Path(spawner.__file__).parent) + "/"  # below it is all that the Python loader is made of
SUPERVISED_START = str(Path(program_loader.__file__).with_name("start.py"))  # the loader of Node.js apps and programs
_PROCESSES = ("fork", "steps", "execute", "titles", "backtraces", "friendly", "one-process")
_REQUESTS = ("threads", "own-socket", "max-requests", "out-of-band-work", "strict-responses", "scgi", "cells")
_OF_RUBY = frozenset(("hooks-file",))
ABILITIES = frozenset((*_PROCESSES, *_REQUESTS, *CAPABILITIES)) | _OF_RUBY
OURS = ABILITIES - CAPABILITIES.keys() - _OF_RUBY | APP_TYPES["wsgi"].capabilities  # of each that forks
_OF_PLAIN = frozenset(("steps", "cells", "threads", "cancel", "one-process", "own-socket", "scgi"))
PLAIN = Path(__file__).parent / "plain_loader.py"


@dataclass(frozen=True)
class LoaderUnderTest:
    """One loader under one interpreter.

    :ivar command: interpreter and program.
    :ivar apps: the folder with the probe (README.md).
    :ivar abilities: what it offers of ABILITIES; among them what its workers say with `ready`.
    :ivar load: what each `load` says besides.
    """

    name: str
    command: tuple[str, ...]
    apps: Path
    abilities: frozenset[str]
    load: tuple[tuple[str, str], ...] = ()

    @property
    def capabilities(self) -> frozenset[str]:
        """What httpd may use of it."""
        return self.abilities & CAPABILITIES.keys()

    def entry(self, name: str) -> str:
        """Return the name of an entry file, such as `probe.py` for `probe`."""
        (found,) = self.apps.glob(name + ".*")
        return found.name


def loaders_of(config: pytest.Config) -> list[LoaderUnderTest]:
    """Return the one that the command line names, or ours."""
    command = config.getoption("--loader")
    if command is None:
        apps = APPS / "python"
        return [
            *(LoaderUnderTest(name, (path, START), apps, OURS) for name, path in interpreters_to_test().items()),
            LoaderUnderTest("plain", (sys.executable, str(PLAIN)), apps, _OF_PLAIN),
            *ruby_loaders(),
            _node(),
            _program(),
        ]
    missing = frozenset(filter(None, config.getoption("--without").split(",")))
    assert missing <= ABILITIES, f"--without takes {', '.join(sorted(ABILITIES))}"
    apps = Path(config.getoption("--apps")).absolute()
    return [LoaderUnderTest("loader", tuple(shlex.split(command)), apps, ABILITIES - missing)]


@functools.cache
def ruby_loaders() -> list[LoaderUnderTest]:
    """Return the Ruby loader under each Ruby of this machine that has Rack."""
    rubies = rubies_to_test().items()
    return [LoaderUnderTest(name, (path, RUBY_START), APPS / "ruby", OURS | _OF_RUBY) for name, path in rubies]


def _node() -> LoaderUnderTest:
    abilities = frozenset(("steps", "cells", "titles", "max-requests", "own-socket")) | APP_TYPES["node"].capabilities
    load = (("interpreter", "node"), ("slot", "0"), ("threads", "0"))
    return LoaderUnderTest("node", (sys.executable, SUPERVISED_START), APPS / "node", abilities, load)


def _program() -> LoaderUnderTest:
    load = (("slot", "0"), ("threads", "0"))
    abilities = frozenset(("max-requests",)) | APP_TYPES["program"].capabilities
    return LoaderUnderTest("program", (sys.executable, SUPERVISED_START), APPS / "program", abilities, load)
