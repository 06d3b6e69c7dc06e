"""The instance folder stays complete, and a check of it costs the same however many apps there are."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spawner.daemon import directory_guard
from spawner.daemon.directory_guard import DirectoryGuard
from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.pool.registry import Registry
from spawner.state_store.instance_directory import InstanceDirectory


class Guarded:
    """An instance folder with two apps, the first of which has a worker with a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self.instance = InstanceDirectory(str(folder / "run" / "httpd-1"), 1, os.getuid(), os.getgid())
        self._make_folder()
        self.sockets = [self._listen(path) for path in (self.instance.spawner_socket, self.instance.admin_socket)]
        self.worker = SimpleNamespace(process_id=7, serving=True, retiring=False)
        registry: Any = Registry()
        for key, workers in (("a", [self.worker]), ("b", [])):
            registry.groups.enter(key, SimpleNamespace(workers=lambda found=workers: found))
            registry.groups.attach(key, SimpleNamespace(path=self.instance.app_socket(key)))
        registry.processes.attach(7, SimpleNamespace(routes=("route",)))
        self.paths = [self.instance.app_socket(key) for key in ("a", "b")]
        self.paths.append(self.instance.worker_socket(self.paths[0], "route"))
        self.sockets += [self._listen(path) for path in self.paths]
        self.log = Log(LogWriter.open(os.devnull))
        self.done: list[str] = []
        self.guard = DirectoryGuard(
            self.instance,
            registry,
            self.log,
            self._make_folder,
            lambda path: self.done.append("socket " + os.path.basename(path)),
            lambda key: self.done.append("listener " + key),
            lambda key: self.done.append("restart " + key),
        )

    def _make_folder(self) -> None:
        self.instance.create("/", 0.0)

    def _listen(self, path: str) -> socket.socket:
        return self.instance.listen(path, socket.SOCK_STREAM, 0o600, 1)

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.log.close()


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(directory_guard, "_CLOCK_TICK", -1.0)  # a test does not remove within a tick of a change
    found = Guarded(tmp_path)
    yield found
    found.close()


def looked_for(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The app sockets that one check looks for."""
    paths: list[str] = []

    def lexists(path: str) -> bool:
        paths.append(path)
        return os.access(path, os.F_OK, follow_symlinks=False)

    with monkeypatch.context() as patch:
        patch.setattr("os.path.lexists", lexists)
        guarded.guard.check()
    return [path for path in paths if path in guarded.paths]


def test_a_complete_folder_is_left_alone_and_its_sockets_are_looked_for_once(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sorted(looked_for(guarded, monkeypatch)) == sorted(guarded.paths)
    assert looked_for(guarded, monkeypatch) == []
    assert guarded.done == []


def test_the_sockets_are_looked_for_again_after_a_change(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded.guard.check()
    Path(guarded.instance.apps, "other.sock").touch()
    assert sorted(looked_for(guarded, monkeypatch)) == sorted(guarded.paths)


def test_they_are_looked_for_until_the_clock_has_moved_on_since_the_change(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_guard, "_CLOCK_TICK", 3600.0)
    for _ in range(3):
        assert sorted(looked_for(guarded, monkeypatch)) == sorted(guarded.paths)


@pytest.mark.parametrize("lost", [1, 2])
def test_an_app_whose_socket_was_removed_gets_another_one_and_is_restarted(guarded: Guarded, lost: int) -> None:
    key = {1: "b", 2: "a"}[lost]  # the socket of the second app, that of the worker of the first
    guarded.guard.check()
    os.unlink(guarded.paths[lost])
    guarded.guard.check()
    assert guarded.done == ["listener " + key, "restart " + key]
    guarded.guard.check()
    assert guarded.done == 2 * ["listener " + key, "restart " + key], "until it is there"


def test_a_starting_worker_s_socket_is_missed_once_the_worker_serves(guarded: Guarded) -> None:
    guarded.worker.serving = False
    os.unlink(guarded.paths[2])
    guarded.guard.check()
    assert guarded.done == []
    guarded.worker.serving = True
    guarded.guard.check()
    assert guarded.done == ["listener a", "restart a"]


def test_a_retiring_worker_s_socket_is_not_missed(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded.worker.serving, guarded.worker.retiring = False, True
    os.unlink(guarded.paths[2])
    guarded.guard.check()
    assert looked_for(guarded, monkeypatch) == []
    assert guarded.done == []


def test_files_and_sockets_of_the_spawner_are_made_again(guarded: Guarded) -> None:
    program = os.path.join(guarded.instance.loaders, "python", "start.py")
    os.unlink(program)
    os.unlink(guarded.instance.admin_socket)
    guarded.guard.check()
    assert os.path.exists(program)
    assert guarded.done == ["socket admin.sock"]


def test_a_folder_that_was_removed_with_all_that_is_in_it_is_made_again(guarded: Guarded, tmp_path: Path) -> None:
    guarded.guard.check()
    os.rename(guarded.instance.folder, tmp_path / "away")
    guarded.guard.check()
    assert guarded.done == [
        "socket spawner.sock", "socket admin.sock", "listener a", "restart a", "listener b", "restart b",
    ]  # fmt: skip
    assert os.path.isdir(guarded.instance.apps)
