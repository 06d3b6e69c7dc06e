"""An app whose restart file is watched, on a loop of its own, and folders whose events a test fires."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Awaitable, Callable, Optional

from spawner.watching.restart_watch import InotifyFolders, RestartWatch

DEADLINE = 20.0  # seconds; the machine may be busy


class Scene:
    """An app that is watched on a loop of its own."""

    def __init__(self, folder: Path, inotify: bool, poll_every: float) -> None:
        self.app = folder / "app"
        (self.app / "tmp").mkdir(parents=True, exist_ok=True)
        self.restarts: list[str] = []
        self.times: list[float] = []
        events = InotifyFolders(lambda reason: None) if inotify else None
        self._loop = asyncio.get_running_loop()
        self.watch = RestartWatch(self._loop, self._restart, events, poll_every)

    def _restart(self, key: str) -> None:
        self.restarts.append(key)
        self.times.append(self._loop.time())

    @property
    def file(self) -> Path:
        return self.app / "tmp" / "restart.txt"

    def has_had(self) -> None:
        """The file is there from long ago: kernels have file times by the tick, so that two touches may be one."""
        self.file.touch()
        os.utime(self.file, (1, 1))

    async def restarted(self, times: int = 1) -> None:
        """Wait until there were so many restarts, and a little for one too many."""
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while len(self.restarts) < times:
            assert asyncio.get_running_loop().time() < deadline, "no restart: %s" % self.restarts
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert len(self.restarts) == times


def play(
    folder: Path, act: Callable[[Scene], Awaitable[None]], inotify: bool = True, poll_every: float = 3600.0
) -> None:
    async def main() -> None:
        scene = Scene(folder, inotify, poll_every)
        try:
            await act(scene)
        finally:
            scene.watch.close()

    asyncio.run(main())


def start(scene: Scene, app_root: Optional[Path] = None) -> None:
    scene.watch.watch("app", str(app_root or scene.app), "tmp")


class CountedFolders:
    """FolderEvents that a test fires; counts what the watch does with them."""

    def __init__(self) -> None:
        self.watched: dict[int, tuple[str, Callable[[bool], None]]] = {}
        self._next = 0

    def add(self, folder: str, on_change: Callable[[bool], None]) -> Optional[int]:
        self._next += 1
        self.watched[self._next] = (folder, on_change)
        return self._next

    def remove(self, folder: str, watch: int) -> None:
        del self.watched[watch]

    def close(self) -> None:
        """Nothing to close."""

    def fire(self, folder: Path, times: int) -> None:
        for path, on_change in list(self.watched.values()):
            if path == str(folder):
                for _ in range(times):
                    on_change(False)

    def watches(self, folder: Path) -> bool:
        return any(path == str(folder) for path, _ in self.watched.values())
