"""Environments with the frameworks that are tested, made once and kept for the next runs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Callable

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements-apps.txt"
NODE_PACKAGES = Path(__file__).resolve().parents[2] / "apps" / "node_frameworks" / "package.json"
SYSTEM_PYTHON = "/usr/bin/python3"


def framework_environment() -> Path:
    """The folder of a venv that every user can read. Its name follows the requirements, so a change makes another."""
    return _kept("frameworks", REQUIREMENTS, _make)


def node_modules() -> Path:
    """The folder of the packages of Node.js that apps of tests use; every user can read it."""
    return _kept("node", NODE_PACKAGES, _install_node_packages) / "node_modules"


def _kept(name: str, requirements: Path, make: Callable[[Path], None]) -> Path:
    """The folder that was made for these requirements."""
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("JUMPSEAT_TEST_CACHE", f"/var/tmp/jumpseat-test-cache-{os.geteuid()}"))
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    environment = cache / f"{name}-{wanted}"
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / "complete").exists():
            shutil.rmtree(environment, ignore_errors=True)
            make(environment)
            (environment / "complete").touch()
    return environment


def _make(environment: Path) -> None:
    subprocess.run([SYSTEM_PYTHON, "-m", "venv", str(environment)], check=True, capture_output=True, timeout=120)
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [
                str(environment / "bin" / "pip"),
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                str(REQUIREMENTS),
            ],
            check=True,
            timeout=300,
            cwd=scratch,
        )


def _install_node_packages(environment: Path) -> None:
    environment.mkdir()
    shutil.copy(NODE_PACKAGES, environment)
    options = ["--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    subprocess.run(["npm", "install", *options], check=True, timeout=300, cwd=environment)
