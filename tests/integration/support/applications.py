"""Folders of hosted apps, copied from tests/apps, with a chosen owner."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

from support.waiting import TIMEOUT, eventually
from tests.open_folders import let_everybody_read

SOURCES = Path(__file__).resolve().parents[2] / "apps"
#: Who owns an app unless a test says otherwise; nobody special, and with root's rights the only one it can be.
USUAL_OWNER = "nobody"
#: Seconds by which a file's time may lag behind the clock.
MTIME_STEP = 0.05


@dataclass(frozen=True)
class AppFolder:
    """One app root: entry file, `public/`, `tmp/`, and `events/`, where app and test leave each other files."""

    root: Path
    owner: str

    @property
    def public(self) -> Path:
        return self.root / "public"

    @property
    def entry(self) -> Path:
        return self.root / "passenger_wsgi.py"

    @property
    def restart_file(self) -> Path:
        return self.root / "tmp" / "restart.txt"

    @property
    def events(self) -> Path:
        return self.root / "events"

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file below the root as the owner would; replaces by rename, so that no half file is read."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
        give(fresh, self.owner)
        fresh.rename(path)
        return path

    def touch_restart(self) -> None:
        """What a deploy does at its end."""
        self.restart_file.parent.mkdir(exist_ok=True)
        self.restart_file.touch()

    def open_gate(self, name: str) -> None:
        """Let the app go on that waits for this gate."""
        (self.events / f"gate-{name}").touch()

    def event_names(self) -> list[str]:
        """The names of what the app has reported, oldest first."""
        found = [path for path in self.events.iterdir() if not path.name.startswith("gate-")]
        return [path.name for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]

    def check_pauses(self, *least: float) -> None:
        """Check that so many seconds, or more, lie between what the app has reported; the last holds for all later."""
        moments = sorted(path.stat().st_mtime for path in self.events.iterdir() if not path.name.startswith("gate-"))
        pauses = [later - earlier for earlier, later in zip(moments, moments[1:])]
        wanted = itertools.chain(least, itertools.repeat(least[-1]))
        assert all(pause > seconds - MTIME_STEP for pause, seconds in zip(pauses, wanted)), pauses

    def wait_for_event(self, name: str, seconds: float = TIMEOUT) -> str:
        """Wait until the app has reported `name`; return what it wrote."""
        path = self.events / name
        eventually(path.exists, lambda: f"the app's event {name}; there are {self.event_names()}", seconds)
        return path.read_text()


class AppFolders:
    """Makes app folders below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, source: str = "", name: str = "", entry: str = "", owner: str = USUAL_OWNER) -> AppFolder:
        """Copy tests/apps/<source>, or write `entry` as the entry file; `owner` matters only for root."""
        root = self.folder / (name or source or "app")
        if source:
            shutil.copytree(SOURCES / source, root, ignore=shutil.ignore_patterns("__pycache__"))
            let_everybody_read(root)
        for folder in (root, root / "public", root / "tmp", root / "events"):
            folder.mkdir(parents=True, exist_ok=True)
        app = AppFolder(root, owner)
        if entry:
            app.write("passenger_wsgi.py", entry)
        give_all(root, owner)
        (root / "events").chmod(0o777)
        return app

    def existing(self, name: str, owner: str = USUAL_OWNER) -> AppFolder:
        """One that was made before."""
        return AppFolder(self.folder / name, owner)


def give(path: Path, owner: str) -> None:
    """Make `owner` own one path; a normal user leaves it as it is."""
    if os.geteuid() == 0:
        entry = pwd.getpwnam(owner)
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def give_all(root: Path, owner: str) -> None:
    give(root, owner)
    for path in root.rglob("*"):
        give(path, owner)


def age(path: Path, seconds: float) -> None:
    """Set a file's modification time into the past."""
    then = time.time() - seconds
    os.utime(path, (then, then))
