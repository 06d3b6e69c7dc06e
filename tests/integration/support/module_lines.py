"""The configuration lines that load the module just built."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


@functools.lru_cache(maxsize=None)
def module_config_lines() -> str:
    """What `jumpseat module-config` prints. Raises RuntimeError with its words when there is no built module."""
    command = [_jumpseat(), "module-config"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=REPOSITORY)
    if answer.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed; run `make setup` first:\n{answer.stderr}")
    return answer.stdout


def _jumpseat() -> str:
    """The command of the environment that runs the tests, or of the checkout's own one."""
    for folder in (Path(sys.executable).parent, REPOSITORY / ".venv" / "bin"):
        if (folder / "jumpseat").exists():
            return str(folder / "jumpseat")
    raise RuntimeError("no jumpseat command beside this Python nor in .venv; run `make setup` first")
