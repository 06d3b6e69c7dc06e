"""A file system of a few pages, to be filled."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType


class TinyDisk:
    """A tmpfs on `folder`, mounted while the `with` block runs."""

    def __init__(self, folder: Path, kibibytes: int) -> None:
        self.folder = folder
        self._size = kibibytes * 1024

    def __enter__(self) -> TinyDisk:
        self.folder.mkdir(exist_ok=True)
        options = f"size={self._size},mode=0777"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(self.folder)], check=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        """Leave no byte free."""
        with open(self.folder / "filler", "ab", buffering=0) as filler:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        """Take the filling away."""
        (self.folder / "filler").unlink()
