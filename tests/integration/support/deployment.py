"""Releases behind a symbolic link that is switched, as deploy tools do it."""

from __future__ import annotations

import os
from pathlib import Path

from support.applications import AppFolder, AppFolders, give
from support.serving import CheckedHttpd


class Deployment:
    """`releases/<number>` and the link `current`, below a folder."""

    def __init__(self, httpd: CheckedHttpd, source: str = "release", folder: str = "") -> None:
        self._source = source
        place = httpd.folder / "apps" / folder
        self._folders = AppFolders(place / "releases")
        self._folders.folder.mkdir(parents=True)
        self.current = place / "current"
        give(self._folders.folder, "nobody")

    @property
    def folder(self) -> AppFolder:
        """The app root as the configuration names it, behind the link."""
        return AppFolder(self.current, "nobody")

    def make(self, number: int) -> AppFolder:
        app = self._folders.create(self._source, str(number))
        app.write("release.txt", f"release {number}")
        return app

    def switch(self, app: AppFolder) -> None:
        """Atomically, by renaming a fresh link over the old one."""
        fresh = Path(f"{self.current}.fresh")
        fresh.symlink_to(os.path.relpath(app.root, self.current.parent))
        give(fresh, app.owner)
        fresh.rename(self.current)
