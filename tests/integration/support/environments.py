"""An environment with the frameworks that are tested, made once and kept for the next runs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements-apps.txt"
SYSTEM_PYTHON = "/usr/bin/python3"


def framework_environment() -> Path:
    """The folder of a venv that every user can read. Its name follows the requirements, so a change makes another."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("JUMPSEAT_TEST_CACHE", f"/var/tmp/jumpseat-test-cache-{os.geteuid()}"))
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    environment = cache / f"frameworks-{wanted}"
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / "complete").exists():
            _make(environment)
    return environment


def _make(environment: Path) -> None:
    shutil.rmtree(environment, ignore_errors=True)
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
    (environment / "complete").touch()
