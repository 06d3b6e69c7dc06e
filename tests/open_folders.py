"""Folders and programs that every user of the machine can reach, wherever the checkout lies.

Apps run as other users. These can enter neither a checkout below a folder of mode 0700 nor its .venv, and neither
pytest's folders nor a TMPDIR of one's own.
"""

from __future__ import annotations

import functools
import os
import shutil
import stat
import tempfile
from pathlib import Path

#: What apps run in unless a test says otherwise. The interpreter of these tests may lie in a closed checkout.
APP_PYTHON = "/usr/bin/python3"

#: Bytes that all tests at once need for their files.
ROOM = 2 << 30
#: The first is in memory: a disk that has just lost thousands of files makes new ones slowly.
_CANDIDATES = ("/dev/shm", "/tmp", "/var/tmp")


@functools.lru_cache(maxsize=None)
def scratch_folder() -> str:
    """The folder for everything that tests write: every user can use it, and it has room.

    It has a short path: Unix sockets are made below it.
    """
    usable = [folder for folder in _CANDIDATES if _is_open(folder)]
    assert usable, "none of %s is there for every user: mode 1777, not mounted noexec" % ", ".join(_CANDIDATES)
    roomy = [folder for folder in usable if shutil.disk_usage(folder).free >= ROOM]
    return roomy[0] if roomy else max(usable, key=lambda folder: shutil.disk_usage(folder).free)


def make_open_folder(prefix: str) -> Path:
    """A new folder that every user can read; who makes it removes it."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=scratch_folder()))
    folder.chmod(0o755)
    return folder


def everybody_can_read(path: Path) -> bool:
    """Whether users without any rights of their own can get at the file or folder."""
    way = stat.S_IXOTH
    own = stat.S_IROTH | (way if path.is_dir() else 0)
    return path.stat().st_mode & own == own and all(folder.stat().st_mode & way for folder in path.resolve().parents)


def let_everybody_read(root: Path) -> None:
    """Give a copy from the checkout the modes that a checkout usually has. Of the checkout's own, x alone is known."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)


def _is_open(folder: str) -> bool:
    try:
        status = os.stat(folder)
    except OSError:
        return False
    everybody = stat.S_IRWXO
    return status.st_mode & everybody == everybody and not os.statvfs(folder).f_flag & os.ST_NOEXEC
