"""A time of day that a test can set for one server, without touching the machine's."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("wrong_clock.c")


class WrongClock:
    """A library to be preloaded: CLOCK_REALTIME, as programs ask libc for it, is off by so many seconds.

    CLOCK_MONOTONIC goes on as it is, as it does when an administrator or NTP sets the clock.
    """

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.shared_object = folder / "wrong_clock.so"
        self.set(0)
        self._offset.chmod(0o644)
        command = ["cc", "-shared", "-fPIC", "-O1", f'-DOFFSET_FILE="{self._offset}"']
        subprocess.run([*command, "-o", str(self.shared_object), str(SOURCE)], check=True)

    def set(self, seconds: int) -> None:
        """How far the clock is ahead of the right time; in force at once, everywhere."""
        with open(self._offset, "r+b" if self._offset.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
