"""Restart files that change at an awkward moment, and folders in which something happens without end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Callable, Optional

import pytest

from spawner.watching import restart_watch
from spawner.watching.restart_trigger import RestartTrigger
from tests.unit.watching.watched_app import CountedFolders, Scene, play, start


class CountedCalls:
    """The loop of a watch; counts what other threads make it do."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.calls = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._loop, name)

    def call_soon_threadsafe(self, *arguments: object) -> None:
        self.calls += 1
        self._loop.call_soon_threadsafe(*arguments)  # type: ignore[arg-type]


def test_a_flood_of_events_gets_a_bounded_number_of_turns_and_a_restart_is_still_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart_watch, "_REST", 0.3)

    async def act(scene: Scene) -> None:
        folders, loop = CountedFolders(), CountedCalls(asyncio.get_running_loop())
        scene.watch._events, scene.watch._loop = folders, loop  # type: ignore[assignment]
        start(scene)
        folder = scene.app / "tmp"
        folders.fire(folder, 100)
        assert loop.calls == 1, "until the loop has looked"
        await asyncio.sleep(0.05)
        folders.fire(folder, 100_000)
        assert loop.calls <= 3
        await asyncio.sleep(0.05)
        assert not folders.watches(folder), "it rests"
        scene.file.touch()
        await scene.restarted()
        assert folders.watches(folder)

    play(tmp_path, act, inotify=False)


def test_what_happens_now_and_then_lets_no_folder_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart_watch, "_EVENTS_PERIOD", 0.05)

    async def act(scene: Scene) -> None:
        folders = CountedFolders()
        scene.watch._events = folders
        start(scene)
        for _ in range(30):
            folders.fire(scene.app / "tmp", 20)
            await asyncio.sleep(0.02)
        assert folders.watches(scene.app / "tmp")

    play(tmp_path, act, inotify=False)


class LateFolders(CountedFolders):
    """Something happens in a folder in the moment before it is watched, so that no event tells of it."""

    def __init__(self, folder: Path, happens: Callable[[], None]) -> None:
        super().__init__()
        self._folder = folder
        self._happens = happens

    def add(self, folder: str, on_change: Callable[[bool], None]) -> Optional[int]:
        if folder == str(self._folder):
            self._happens()
        return super().add(folder, on_change)


@pytest.mark.parametrize("name", ["restart.txt", "always_restart.txt"])
def test_what_happens_just_before_a_folder_is_watched_is_found_by_looking_after_that(tmp_path: Path, name: str) -> None:
    async def act(scene: Scene) -> None:
        told: list[bool] = []
        scene.watch._on_always_restart = lambda _, on: told.append(on)
        folders = LateFolders(scene.app / "tmp", (scene.app / "tmp" / name).touch)
        scene.watch._events = folders
        (scene.app / "tmp").rmdir()
        start(scene)
        (scene.app / "tmp").mkdir()
        folders.fire(scene.app, 1)
        await asyncio.sleep(0.05)
        assert (scene.restarts, told) == ((["app"], []) if name == "restart.txt" else ([], [True]))

    play(tmp_path, act, inotify=False)


def test_what_happens_while_an_app_is_looked_at_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(scene: Scene) -> None:
        folders = CountedFolders()
        scene.watch._events = folders
        start(scene)
        read, looks = restart_watch.read_trigger, 0

        def touched_after_the_look(app_root: str, restart_dir: str) -> RestartTrigger:
            nonlocal looks
            found, looks = read(app_root, restart_dir), looks + 1
            if looks == 1:
                scene.file.touch()
                folders.fire(scene.app / "tmp", 1)
            return found

        monkeypatch.setattr(restart_watch, "read_trigger", touched_after_the_look)
        folders.fire(scene.app / "tmp", 1)
        await scene.restarted()

    play(tmp_path, act, inotify=False)


def test_a_restart_that_waits_for_its_time_is_forgotten_with_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart_watch, "_RESTART_INTERVAL", 0.05)

    async def act(scene: Scene) -> None:
        folders = CountedFolders()
        scene.watch._events = folders
        start(scene)
        for content in ("1", "22"):
            scene.file.write_text(content)
            scene.watch._check("app")
        assert scene.watch._apps["app"].fired_in_interval
        scene.watch.unwatch("app")
        await asyncio.sleep(0.1)
        assert scene.restarts == ["app"]
        assert not folders.watched

    play(tmp_path, act, inotify=False)


def test_the_last_of_several_touches_in_quick_succession_is_acted_upon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart_watch, "_RESTART_INTERVAL", 0.05)

    async def act(scene: Scene) -> None:
        scene.watch._events = CountedFolders()
        start(scene)
        for content in ("1", "22", "333"):
            scene.file.write_text(content)
            scene.watch._check("app")
        assert scene.restarts == ["app"]
        await scene.restarted(2)

    play(tmp_path, act, inotify=False)


def test_a_folder_rests_with_250_events_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart_watch, "_EVENTS_PERIOD", 3600.0)
    monkeypatch.setattr(restart_watch, "_REST", 3600.0)

    async def act(scene: Scene) -> None:
        folders, folder = CountedFolders(), scene.app / "tmp"
        scene.watch._events = folders
        start(scene)
        folders.fire(folder, 1)  # the period begins
        await asyncio.sleep(0.05)
        folders.fire(folder, 249)
        await asyncio.sleep(0.05)
        assert folders.watches(folder)
        folders.fire(folder, 1)
        await asyncio.sleep(0.05)
        assert not folders.watches(folder)

    play(tmp_path, act, inotify=False)
