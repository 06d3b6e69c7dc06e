"""Files of an app's user, opened with that user's rights and no others."""

from __future__ import annotations

import errno
import os
import stat
from typing import Optional

from spawner.system.linux import Identity, file_system_identity
from spawner.system.paths import PathComponent, resolve


def open_log(path: str, identity: Identity) -> int:
    """Open an app's log to append to (PassengerAppLogFile), creating it with mode 0640.

    :returns: a descriptor that is the caller's.
    :raises OSError: the user may not, the last part is a symbolic link, or it is neither a file nor a pipe.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    with file_system_identity(identity):
        descriptor = os.open(path, flags, 0o640)
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a file", path)
    return descriptor


def read_file(path: str, identity: Identity, limit: int) -> bytes:
    """Read a regular file (PassengerCustomErrorPage), at most `limit` bytes.

    :raises OSError: the user may not, it is a symbolic link or no regular file, or it is longer.
    """
    with file_system_identity(identity):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        data = b""
        while len(data) <= limit:
            chunk = os.read(descriptor, limit + 1 - len(data))
            if not chunk:
                return data
            data += chunk
        raise OSError(errno.EFBIG, "longer than %d bytes" % limit, path)
    finally:
        os.close(descriptor)


def first_unreachable(path: str, identity: Identity) -> Optional[str]:
    """The first folder on the way to `path`, itself included, that the user cannot enter; None when all is well.

    :param path: absolute.
    """
    with file_system_identity(identity):
        reached = "/"
        for name in [part for part in path.split("/") if part]:
            reached = os.path.join(reached, name)
            try:
                os.stat(os.path.join(reached, "."))
            except OSError:
                return reached
    return None


def why_program_is_unreachable(path: str, identity: Identity) -> Optional[str]:
    """Why the user does not get to a program: the folder that bars the way, and the link that leads there.

    :param path: absolute.
    :returns: None: the way is open, or the program is missing under the very name that was given.
    """
    found: list[PathComponent] = []
    try:
        with file_system_identity(identity):
            resolve("/", path, found, links_only=False)
            return None
    except OSError as error:
        barred, missing = isinstance(error, PermissionError), isinstance(error, FileNotFoundError)
    folders = [one.path for one in found if not one.is_link]
    links = [one.path for one in found if one.is_link]
    way = ", a link to %s" % _target(links[-1], identity) if links else ""
    if barred:
        values = (path, way, identity.user, folders[-1] if folders else "/")
        return "%s%s, cannot be executed: user %s cannot enter the folder %s" % values
    return "%s%s, cannot be executed: there is no such file" % (path, way) if missing and links else None


def _target(link: str, identity: Identity) -> str:
    with file_system_identity(identity):
        return os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
