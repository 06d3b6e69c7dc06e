"""always_restart.txt: that it comes and goes is noticed, and told once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Awaitable, Callable

from spawner.watching.restart_watch import InotifyFolders, RestartWatch
from tests.unit.support.loops import until

Told = list[tuple[str, bool]]
Act = Callable[[RestartWatch, Told], Awaitable[None]]


def play(folder: Path, act: Act, inotify: bool = True, poll_every: float = 3600.0) -> None:
    async def main() -> None:
        told: Told = []
        events = InotifyFolders(lambda reason: None) if inotify else None
        loop = asyncio.get_running_loop()
        watch = RestartWatch(loop, lambda key: None, events, poll_every, lambda key, on: told.append((key, on)))
        try:
            await act(watch, told)
        finally:
            watch.close()

    (folder / "tmp").mkdir(exist_ok=True)
    asyncio.run(main())


def file(folder: Path) -> Path:
    return folder / "tmp" / "always_restart.txt"


def test_a_file_that_is_there_at_the_start_is_told_after_the_watch_has_begun(tmp_path: Path) -> None:
    async def act(watch: RestartWatch, told: Told) -> None:
        watch.watch("app", str(tmp_path), "tmp")
        assert told == [], "whoever begins to watch is not called back meanwhile"
        await until(lambda: told == [("app", True)], "the file")

    (tmp_path / "tmp").mkdir()
    file(tmp_path).touch()
    play(tmp_path, act)


def test_it_is_told_when_the_file_comes_and_goes(tmp_path: Path) -> None:
    async def act(watch: RestartWatch, told: Told) -> None:
        watch.watch("app", str(tmp_path), "tmp")
        file(tmp_path).touch()
        await until(lambda: told == [("app", True)], "the file")
        file(tmp_path).touch()
        file(tmp_path).unlink()
        await until(lambda: told == [("app", True), ("app", False)], "its end")

    play(tmp_path, act)


def test_without_inotify_the_poll_finds_it(tmp_path: Path) -> None:
    async def act(watch: RestartWatch, told: Told) -> None:
        watch.poll_interval = 0.05
        watch.watch("app", str(tmp_path), "tmp")
        file(tmp_path).touch()
        await until(lambda: told == [("app", True)], "the file")

    play(tmp_path, act, inotify=False)


def test_what_an_earlier_spawner_has_told_is_not_told_again_but_its_end_is(tmp_path: Path) -> None:
    async def act(watch: RestartWatch, told: Told) -> None:
        watch.watch("there", str(tmp_path), "tmp", always_restart=True)
        watch.watch("gone", str(tmp_path / "elsewhere"), "tmp", always_restart=True)
        await until(lambda: told == [("gone", False)], "the end of the file that has gone")

    (tmp_path / "tmp").mkdir()
    file(tmp_path).touch()
    play(tmp_path, act)


def test_a_changed_folder_is_looked_at_anew(tmp_path: Path) -> None:
    async def act(watch: RestartWatch, told: Told) -> None:
        watch.watch("app", str(tmp_path), "tmp")
        await until(lambda: told == [("app", True)], "the file")
        watch.watch("app", str(tmp_path), "other")
        await until(lambda: told == [("app", True), ("app", False)], "its end")

    (tmp_path / "tmp").mkdir()
    file(tmp_path).touch()
    play(tmp_path, act)
