"""The interpreters of this machine, put where the users of apps can run them."""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
from pathlib import Path

from tests.open_folders import make_open_folder

#: CPython from 3.6 on in the folders where version managers put it, and PyPy.
FOLDERS = [Path(os.path.expanduser("~/.pyenv/versions")), Path("/opt/python"), Path("/usr/local")]


def _found() -> dict[str, Path]:
    candidates = [
        path for folder in FOLDERS for path in (*folder.glob("*/bin/python3.*"), *folder.glob("bin/python3.*"))
    ]
    candidates += [path for path in map(Path, ("/usr/bin/python3", "/usr/bin/pypy3")) if path.exists()]
    real = [path for path in candidates if re.fullmatch(r"(python3(\.\d+)?|pypy3)", path.name)]
    return {f"{path.parent.parent.name}-{path.name}": path for path in sorted(real)}


_FOUND = _found()
INTERPRETERS = list(_FOUND)


@functools.lru_cache(maxsize=None)
def usable_by_apps(name: str) -> Path:
    """The interpreter's path; where only its owner can reach it, that of a copy."""
    interpreter = _FOUND[name]
    if str(interpreter).startswith("/usr/bin/"):
        return interpreter
    home = interpreter.parent.parent
    copy = make_open_folder("js-python-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    (copy / "bin").mkdir()
    shutil.copy2(interpreter, copy / "bin")
    shutil.copytree(
        home / "lib" / interpreter.name,
        copy / "lib" / interpreter.name,
        symlinks=True,
        ignore=shutil.ignore_patterns("test", "site-packages", "idlelib", "ensurepip", "__pycache__", "config-*"),
    )
    for library in (home / "lib").glob("libpython*.so*"):
        shutil.copy2(library, copy / "lib", follow_symlinks=False)
    return _wrapper(copy, interpreter.name)


def _wrapper(copy: Path, name: str) -> Path:
    """A script that lets the copy find its own libpython, where it has one."""
    script = copy / "bin" / "python"
    script.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{copy}/lib" exec "{copy}/bin/{name}" "$@"\n')
    script.chmod(0o755)
    return script
