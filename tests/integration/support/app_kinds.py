"""The app of tests/apps/kinds in each language, and where it is mounted."""

from __future__ import annotations

from typing import NamedTuple

from support.applications import AppFolder, AppFolders
from support.client import Answer
from support.serving import CheckedHttpd

KINDS = ("wsgi", "rack", "node", "program")
PLACES = {"root": "", "below": "/below"}
COMMAND = 'PassengerAppStartCommand "python3 server.py $PORT"'
#: Seconds. What an app of any kind needs to start, on a busy machine.
SOON = 30.0


class Placed(NamedTuple):
    """One app and where it is mounted."""

    kind: str
    host: str
    mount: str
    folder: AppFolder
    server: CheckedHttpd

    def get(self, path: str, **headers: str) -> Answer:
        return self.server.get(self.mount + path, self.host, **headers)

    def post(self, path: str, body: bytes) -> Answer:
        return self.server.post(self.mount + path, body, self.host)

    @property
    def group(self) -> str:
        return str(self.folder.root)


def place(
    server: CheckedHttpd, apps: AppFolders, kind: str, where: str, body: str = "", folder: AppFolder | None = None
) -> Placed:
    """Add a site with the app of this kind.

    :param where: one of PLACES, or any other word, which is then the root of a site.
    :param folder: of the app, if it is there already.
    """
    mount, name = PLACES.get(where, ""), f"{kind}-{where}"
    folder = folder or apps.create(f"kinds/{kind}", name)
    (folder.public / "file.txt").write_text("a file")
    (folder.public / "cached.html").write_text("a cached page")
    website = server.folder / f"website-{kind}"
    website.mkdir(exist_ok=True)
    if mount:
        (website / mount[1:]).symlink_to(folder.public)
    directives = [f"PassengerBaseURI {mount}" if mount else "", COMMAND if kind == "program" else ""]
    directives += ["SetEnv GREETING hello", body]
    server.site(f"{name}.example", website if mount else folder.public, "\n".join(filter(None, directives)))
    return Placed(kind, f"{name}.example", mount, folder, server)
