"""Paths with links, which their owner may make as long and as many as the file system allows."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from spawner.system.paths import PathComponent, resolve


def chain(folder: Path, links: int, text: str = "") -> Path:
    """A link to a link to ... to the folder."""
    target = text or "."
    for number in range(links):
        (folder / ("link%d" % number)).symlink_to(target)
        target = text + "link%d" % number
    return folder / target


@pytest.mark.parametrize(("links", "works"), [(40, True), (41, False)])
def test_as_many_links_are_followed_as_the_kernel_follows(tmp_path: Path, links: int, works: bool) -> None:
    found: list[PathComponent] = []
    path = str(chain(tmp_path, links))
    assert os.path.isdir(path) is works, "as here, so there"
    if works:
        assert resolve("/", path, found, links_only=True) == str(tmp_path)
    else:
        with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
            resolve("/", path, found, links_only=True)
    assert len(found) >= 40


def test_no_more_components_of_links_are_looked_at_than_a_few_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    path = chain(tmp_path, 30, "a/../" * 500)
    looks: list[str] = []
    lstat = os.lstat

    def counted(name: str) -> os.stat_result:
        looks.append(name)
        return lstat(name)

    monkeypatch.setattr("spawner.system.paths.os.lstat", counted)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        resolve("/", str(path), [], links_only=True)
    assert len(looks) < 2048
