"""Resolves paths one component at a time: the symbolic links and folders on the way, by stat alone."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

_MAX_LINKS = 40  # the kernel's own limit (path_resolution(7))
_MAX_COMPONENTS = 2048  # of all links together: the owner of the links must not keep the spawner busy


@dataclass(frozen=True)
class PathComponent:
    """One link, folder or file of a path.

    :ivar path: the whole path up to it.
    :ivar uid: its owner; of a symbolic link, the owner of the link itself.
    :ivar mode: as st_mode.
    """

    path: str
    uid: int
    gid: int
    is_link: bool = False
    mode: int = 0


def path_component(path: str, follow: bool = False) -> PathComponent:
    """What stat says of a path.

    :param follow: of a symbolic link, describe what it points at.
    :raises OSError: there is no such file.
    """
    status = os.stat(path) if follow else os.lstat(path)
    return PathComponent(path, status.st_uid, status.st_gid, stat.S_ISLNK(status.st_mode), status.st_mode)


def resolve(base: str, path: str, found: list[PathComponent], links_only: bool) -> str:
    """Resolve a path as the kernel does, and list its components.

    :param base: the real folder that the path is relative to.
    :param found: the components are added to it; after an error it has those before the error.
    :param links_only: add symbolic links, not folders and files.
    :returns: the real path.
    :raises OSError: a component does not exist, or there are too many links.
    """
    pending = _components(path)
    links = count = 0
    while pending:
        name = pending.pop()
        count += 1
        if name == "..":
            base = os.path.dirname(base)
            continue
        component = path_component(os.path.join(base, name))
        if component.is_link or not links_only:
            found.append(component)
        if not component.is_link:
            base = component.path
            continue
        links += 1
        if links > _MAX_LINKS or count > _MAX_COMPONENTS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(component.path)
        base = "/" if target.startswith("/") else base
        pending.extend(_components(target))
    return base


def _components(path: str) -> list[str]:
    """The names of a path, last first."""
    return [name for name in path.split("/") if name not in ("", ".")][::-1]
