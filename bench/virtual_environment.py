"""The packages of a Python app: downloaded once into the checkout, copied for each server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PYTHON = "/usr/bin/python3"


def download(requirements: str) -> Path:
    """The folder in the checkout that holds the packages of a requirements file, which is made once."""
    packages = CHECKOUT / "build" / "bench" / Path(requirements).stem
    if not packages.exists():
        pip = [sys.executable, "-m", "pip", "--python", PYTHON, "--quiet", "install"]
        subprocess.run([*pip, "--target", str(packages), "-r", str(CHECKOUT / requirements)], check=True)
    return packages


def make_environment(folder: Path, requirements: str) -> tuple[str, Path]:
    """Make a virtual environment of packages.

    The app's user can read it: the checkout itself may lie where only its owner can enter.

    :returns: its interpreter, and the folder of the packages.
    """
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next((folder / "lib").glob("python3*/site-packages"))
    # Compiled files count only beside sources that are as old as they say.
    copy = ["cp", "-r", "--no-preserve=mode", "--preserve=timestamps"]
    subprocess.run([*copy, "%s/." % download(requirements), str(packages)], check=True)
    return str(folder / "bin" / "python"), packages
