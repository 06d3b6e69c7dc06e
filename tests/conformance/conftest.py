"""Each test runs with each loader that has the abilities which it needs."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

import pytest

from tests.conformance.harness.loader_process import Group, OwnSocket, Preloader, Process
from tests.conformance.loaders import APPS, LoaderUnderTest, loaders_of

TOKEN = "the-token"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--loader", help="interpreter and program of the loader to test")
    group.addoption("--apps", default=str(APPS / "python"), help="the folder with the probe for its language")
    group.addoption("--without", default="", help="what the loader does not offer, separated by commas")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(ability): is of no use for a loader without this ability")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "loader" in metafunc.fixturenames:
        needed = {mark.args[0] for mark in metafunc.definition.iter_markers("needs")}
        able = [loader for loader in loaders_of(metafunc.config) if needed <= loader.abilities]
        metafunc.parametrize("loader", able, ids=[loader.name for loader in able], scope="session")


class Starter:
    """Starts processes of one loader in one app root; they end with the test."""

    def __init__(self, loader: LoaderUnderTest, folder: Path, stack: ExitStack) -> None:
        self.loader = loader
        self.folder = folder
        self._stack = stack

    def start(self, mode: str = "", token: str = TOKEN, **environment: str) -> Preloader:
        """Start a process; it has said hello. `mode`: what the probe does when it is imported."""
        able = self.loader.abilities
        group = Group(token if "token" in able else "", "frames" in able, "http" in able)
        self._stack.callback(group.close)
        variables, load = {"PROBE": mode, **environment}, dict(self.loader.load)
        preloader = Preloader(self.loader.command, self.folder, group, variables, load)
        self._stack.callback(preloader.close)
        return preloader

    def load(self, mode: str = "", token: str = TOKEN, **fields: str) -> Preloader:
        """Start a process and have it load the probe."""
        preloader = self.start(mode, token)
        preloader.load(self.loader.entry("probe"), **fields)
        return preloader

    def worker(self, token: str = TOKEN, own: str = "", **fields: str) -> Process:
        """Start a process that serves the probe. `own`: the route of its own socket, if it is to have one."""
        if "fork" not in self.loader.abilities:
            return self.direct("", token, own, **fields)
        preloader = self.load("", token, **fields)
        return preloader.fork(own=preloader.group.own_socket(own) if own else None)

    def direct(
        self, mode: str = "", token: str = TOKEN, own: str = "", slot: int = 0, **fields: str
    ) -> Preloader:
        """Start a process that loads the probe and serves it itself. `own`: as for `worker`."""
        process = self.start(mode, token)
        socket: OwnSocket | None = process.group.own_socket(own) if own else None
        process.serve(self.loader.entry("probe"), slot, socket, **fields)
        return process

    def open_gate(self, name: str = "gate") -> None:
        """Let the probe go on."""
        (self.folder / name).touch()


def copy_of_apps(loader: LoaderUnderTest, folder: Path) -> Path:
    """Make an app root."""
    return Path(shutil.copytree(loader.apps, folder / "app", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture
def starter(loader: LoaderUnderTest, tmp_path: Path) -> Iterator[Starter]:
    with ExitStack() as stack:
        yield Starter(loader, copy_of_apps(loader, tmp_path), stack)


@pytest.fixture
def worker(starter: Starter) -> Process:
    """A process that serves the probe, for this test."""
    return starter.worker()


@pytest.fixture(scope="module")
def probe(loader: LoaderUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A process that serves the probe, for all tests of a module that leave it as it was."""
    with ExitStack() as stack:
        yield Starter(loader, copy_of_apps(loader, tmp_path_factory.mktemp("shared")), stack).worker()
