"""The Python loader, and the interpreters of this machine that it has to run on."""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

import spawner
from spawner.loaders import python as python_loader

ROOT = os.path.join(os.path.dirname(spawner.__file__), "")  # below it is all that the loader is made of
START = os.path.join(os.path.dirname(python_loader.__file__), "start.py")
_OLDEST = (3, 6)
_ASK = "import sys; print(sys.implementation.name, '%d %d %d' % sys.version_info[:3])"


@functools.lru_cache(maxsize=None)
def find_interpreters() -> dict[str, str]:
    """Return the path of one interpreter per implementation and minor version, by name such as `cpython3.6`."""
    found: dict[str, str] = {}
    for path in _candidates():
        name = _name_of(path)
        if name is not None:
            found.setdefault(name, path)
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in _version_part(item[0])]))


def _candidates() -> list[str]:
    # A virtual environment's own interpreter is the one that it was made from.
    own = os.path.realpath(sys.executable)
    homes = {os.path.expanduser("~"), "/root"}
    installed = [path for home in sorted(homes) for path in glob.glob(f"{home}/.pyenv/versions/*/bin/python3")]
    known = ["/usr/bin/python3", shutil.which("pypy3") or ""]
    return [path for path in [own, *known, *sorted(installed)] if path and Path(path).exists()]


def _name_of(path: str) -> str | None:
    """Return None for an interpreter that is too old or does not start."""
    try:
        told = subprocess.run(
            [path, "-c", _ASK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True
        )
        implementation, major, minor, _ = told.stdout.decode().split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return f"{implementation}{major}.{minor}" if (int(major), int(minor)) >= _OLDEST else None


def _version_part(name: str) -> list[str]:
    return name.lstrip("abcdefghijklmnopqrstuvwxyz").split(".")
