"""The interpreters of this machine that apps may run in, and copies of them that every user can run."""

from __future__ import annotations

import atexit
import functools
import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.open_folders import make_open_folder

ROOT = Path(__file__).resolve().parents[1]
LOADERS = [str(ROOT / "spawner" / part) for part in ("loaders", "shared")]
_OLDEST = (3, 6)
_RUBIES = ("2.7", "3.0", "3.1", "3.2", "3.3", "3.4")
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


@functools.lru_cache(maxsize=None)
def interpreters_to_test() -> dict[str, str]:
    """Return those in which all tests of a loader run: the oldest, the newest, and that of the tests.

    With EVERY_INTERPRETER=1 all that `find_interpreters` finds. The loaders are compiled for each of them.
    """
    found = find_interpreters()
    names = list(found)
    if os.environ.get("EVERY_INTERPRETER") != "1":
        names = [name for name in names if name in (names[0], names[-1], _name_of(sys.executable))]
    for name in names:
        # Where the checkout cannot be written to, each process compiles them itself.
        subprocess.run([found[name], "-m", "compileall", "-q", *LOADERS], stdout=subprocess.DEVNULL, check=False)
    return {name: found[name] for name in names}


def _candidates() -> list[str]:
    # A virtual environment's own interpreter is the one that it was made from.
    own = os.path.realpath(sys.executable)
    homes = {os.path.expanduser("~"), "/root"}
    installed = [path for home in sorted(homes) for path in glob.glob(f"{home}/.pyenv/versions/*/bin/python3")]
    installed += glob.glob("/opt/python/*/bin/python3") + glob.glob("/usr/local/bin/python3")
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


@functools.lru_cache(maxsize=None)
def rubies_to_test() -> dict[str, str]:
    """Return the Rubies that have Rack, by name: `ruby`, the one that PATH names.

    With EVERY_INTERPRETER=1 also one of each other minor version, such as `ruby3.3`: from PATH, and from where rbenv,
    ruby-install and chruby put them.
    """
    first = shutil.which("ruby")
    paths = [first] if first else []
    if os.environ.get("EVERY_INTERPRETER") == "1":
        paths += [path for minor in _RUBIES if (path := shutil.which("ruby" + minor))]
        homes = sorted({os.path.expanduser("~"), "/root"})
        installed = [f"{home}/{place}" for home in homes for place in (".rbenv/versions", ".rubies")]
        for folder in [*installed, "/opt/rubies", "/usr/local/rbenv/versions", "/opt/rbenv/versions"]:
            paths += sorted(glob.glob(f"{folder}/*/bin/ruby"))
    found: dict[str, str] = {}
    for path in paths:
        name = _name_of_ruby(path)
        if name is not None:
            found.setdefault(name, path)
    return {"ruby" if path == first else name: path for name, path in found.items()}


def _name_of_ruby(path: str) -> str | None:
    """Return None for a Ruby that does not start or has no Rack."""
    ask = "require 'rack'; print RUBY_VERSION[/\\d+\\.\\d+/]"
    told = subprocess.run([path, "-e", ask], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return "ruby" + told.stdout if told.returncode == 0 else None


def _version_part(name: str) -> list[str]:
    return name.lstrip("abcdefghijklmnopqrstuvwxyz").split(".")


@functools.lru_cache(maxsize=None)
def usable_by_apps(interpreter: str) -> Path:
    """A path under which every user can run an interpreter: where only its owner can reach it, that of a copy."""
    path = Path(interpreter).resolve()
    if str(path).startswith("/usr/"):
        return Path(interpreter)
    home = path.parent.parent
    copy = make_open_folder("js-python-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    (copy / "bin").mkdir()
    shutil.copy2(path, copy / "bin")
    shutil.copytree(
        home / "lib" / path.name,
        copy / "lib" / path.name,
        symlinks=True,
        ignore=shutil.ignore_patterns("test", "site-packages", "idlelib", "ensurepip", "__pycache__", "config-*"),
    )
    for library in (home / "lib").glob("libpython*.so*"):
        shutil.copy2(library, copy / "lib", follow_symlinks=False)
    return _wrapper(copy, path.name)


def _wrapper(copy: Path, name: str) -> Path:
    """A script that lets the copy find its own libpython, where it has one."""
    script = copy / "bin" / "python"
    script.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{copy}/lib" exec "{copy}/bin/{name}" "$@"\n')
    script.chmod(0o755)
    return script
