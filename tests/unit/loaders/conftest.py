"""Fixtures: an interpreter, preloaders of apps written by a test, and one worker of a shared probe app."""

from __future__ import annotations

import textwrap
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator, Mapping

import pytest

from tests.conformance.harness.loader_process import Group, Preloader, Process
from tests.conformance.loaders import START
from tests.interpreters import interpreters_to_test

INTERPRETERS = interpreters_to_test()
APPS = Path(__file__).parent / "apps"


@pytest.fixture(scope="session", params=INTERPRETERS)
def python(request: pytest.FixtureRequest) -> str:
    """Each interpreter that is tested in turn."""
    return INTERPRETERS[request.param]


class Starter:
    """Starts preloaders that end with the test."""

    def __init__(self, python: str, folder: Path, stack: ExitStack) -> None:
        self.python = python
        self.folder = folder
        self._stack = stack

    def write(self, source: str, name: str = "passenger_wsgi.py") -> Path:
        """Write a file of the app; return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return path

    def start(
        self,
        source: str | None = None,
        token: str = "the-token",
        environment: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
        program: str = START,
    ) -> Preloader:
        """Start a preloader; `source` becomes its entry file. It has said hello, nothing more."""
        if source is not None:
            self.write(source)
        group = Group(token)
        self._stack.callback(group.close)
        preloader = Preloader([self.python, *options, program], self.folder, group, environment or {})
        self._stack.callback(preloader.close)
        return preloader

    def worker(self, source: str) -> Process:
        """Start a preloader of an app and one worker of it."""
        preloader = self.start(source)
        preloader.load()
        return preloader.fork()

    def import_warnings(self, source: str) -> list[str]:
        """Start an app and a worker of it; return what the worker says of the import, each with its name before it."""
        return self.worker(source).import_warnings


@pytest.fixture
def starter(python: str, tmp_path: Path) -> Iterator[Starter]:
    with ExitStack() as stack:
        yield Starter(python, tmp_path, stack)


@pytest.fixture(scope="module")
def probe(python: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A worker of the app in `apps/` that the test module names `PROBE`; its paths are the app's functions."""
    with ExitStack() as stack:
        starter = Starter(python, tmp_path_factory.mktemp("probe"), stack)
        yield starter.worker((APPS / request.module.PROBE).read_text())
