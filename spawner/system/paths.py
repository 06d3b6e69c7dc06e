"""Paths part by part: the symbolic links and folders that lie on the way, by stat alone."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

_MAX_LINKS = 40  # as the kernel's own limit (path_resolution(7))
_MAX_PARTS = 2048  # of all links together: whoever owns the links must not keep us busy


@dataclass(frozen=True)
class PathFact:
    """Something on the way to an app: a symbolic link, a folder, or the file.

    :ivar uid: its owner (of the link itself, where it is one).
    """

    path: str
    uid: int
    gid: int
    is_link: bool = False


def fact_of(path: str, follow: bool = False) -> PathFact:
    """What stat says.

    :param follow: of what a symbolic link points at.
    :raises OSError: there is no such file.
    """
    status = os.stat(path) if follow else os.lstat(path)
    return PathFact(path, status.st_uid, status.st_gid, stat.S_ISLNK(status.st_mode))


def walk(reached: str, path: str, way: list[PathFact], links_only: bool) -> str:
    """Resolve a path part by part and note what is met.

    :param reached: the real folder that the path is relative to.
    :param way: where it is noted; what was met before an error too.
    :param links_only: note symbolic links, not folders and files.
    :returns: the real path.
    :raises OSError: a part does not exist, or there are too many links.
    """
    pending = _parts(path)
    links = parts = 0
    while pending:
        part = pending.pop()
        parts += 1
        if part == "..":
            reached = os.path.dirname(reached)
            continue
        fact = fact_of(os.path.join(reached, part))
        if fact.is_link or not links_only:
            way.append(fact)
        if not fact.is_link:
            reached = fact.path
            continue
        links += 1
        if links > _MAX_LINKS or parts > _MAX_PARTS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(fact.path)
        reached = "/" if target.startswith("/") else reached
        pending.extend(_parts(target))
    return reached


def _parts(path: str) -> list[str]:
    """The parts of a path, last first."""
    return [part for part in path.split("/") if part not in ("", ".")][::-1]
