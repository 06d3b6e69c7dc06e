"""The folders of unit tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Iterator

import pytest

from tests.open_folders import make_open_folder


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that every user can reach, with a path short enough for sockets; pytest's own is neither."""
    folder = make_open_folder("jumpseat-")
    yield folder
    shutil.rmtree(folder)
