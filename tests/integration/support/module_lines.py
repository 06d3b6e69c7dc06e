"""The configuration lines that load the module just built; for an httpd of another user, a copy that it can read."""

from __future__ import annotations

import atexit
import functools
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, distribution
from pathlib import Path

from support.sanitizers import ARE_ON, MODULE_FOLDER
from tests.open_folders import everybody_can_read, let_everybody_read, make_open_folder

REPOSITORY = Path(__file__).resolve().parents[3]
PARTS = ("apache_module", "spawner", "conf.d")  # what runs in an httpd
BUILD = """\
import sys
from apache_module.build import build
build(sys.argv[1], sys.argv[2] == "True", sys.argv[3:])
"""


def module_config_lines(user: str = "") -> str:
    """The lines for an httpd that `user` starts; this process's own user by default.

    Where only its owner can reach the checkout, the first call for another user takes as long as a build.
    """
    parts = [REPOSITORY / name for name in (f"{MODULE_FOLDER}/mod_passenger.so", "spawner/__init__.py")]
    needed = [*parts, Path(sysconfig.get_path("purelib"))]
    if not user or all(map(everybody_can_read, needed)):
        return _lines_of_the_checkout()
    return f'LoadModule passenger_module "{_open_copy()}"\n'


@functools.lru_cache(maxsize=None)
def _open_copy() -> Path:
    """The module built from a copy of the packages, and of those that they need. It holds the paths of both."""
    copy = make_open_folder("js-checkout-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for part in PARTS:
        shutil.copytree(REPOSITORY / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for needed in _needed_distributions("jumpseat").values():
        for file in needed.files or ():
            if ".." not in file.parts:
                target = copy / "site-packages" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(needed.locate_file(file)), target)
    command = [sys.executable, "-c", BUILD, str(copy), str(ARE_ON), str(copy / "site-packages")]
    subprocess.run(command, check=True, cwd=copy, timeout=400)
    let_everybody_read(copy)
    return copy / "mod_passenger.so"


def _needed_distributions(name: str) -> dict[str, Distribution]:
    """By name: what has to be installed for the distribution `name`, without what only its tests need."""
    found: dict[str, Distribution] = {}
    for requirement in distribution(name).requires or []:
        needed = re.split(r"[^\w.-]", requirement)[0]
        if ";" not in requirement:
            found.update({needed: distribution(needed), **_needed_distributions(needed)})
    return found


@functools.lru_cache(maxsize=None)
def _lines_of_the_checkout() -> str:
    """What `jumpseat module-config` prints. Raises RuntimeError with its words when there is no built module.

    With the sanitizers it is another module of the same checkout, built by `make`.
    """
    command = [_jumpseat(), "module-config"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=REPOSITORY)
    if answer.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed; run `make setup` first:\n{answer.stderr}")
    return answer.stdout.replace(f"{REPOSITORY}/build/", f"{REPOSITORY}/{MODULE_FOLDER}/")


def _jumpseat() -> str:
    """The command of the environment that runs the tests, or of the checkout's own one."""
    for folder in (Path(sys.executable).parent, REPOSITORY / ".venv" / "bin"):
        if (folder / "jumpseat").exists():
            return str(folder / "jumpseat")
    raise RuntimeError("no jumpseat command beside this Python nor in .venv; run `make setup` first")
