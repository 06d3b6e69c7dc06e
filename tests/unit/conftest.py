"""The folders of unit tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Iterator

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that every user can reach, with a path short enough for sockets; pytest's own is neither."""
    folder = Path(tempfile.mkdtemp(prefix="jumpseat-", dir="/tmp"))
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)
