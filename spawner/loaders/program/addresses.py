"""Where a program that does not use the group's socket accepts connections: a port of 127.0.0.1, or a socket in a
folder that only its user can enter.
"""

import errno
import fcntl
import os
import shutil
import socket
import struct
import tempfile
from typing import Optional

from . import tcp_owner

_LOOPBACK = "127.0.0.1"
_UCRED = struct.Struct("=iII")  # pid, uid, gid: SO_PEERCRED, unix(7)
_LONGEST_FOLDER = 80  # bytes of a path, so that a socket's fits below it
_NOT_YET = (errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET, errno.ETIMEDOUT, errno.EADDRNOTAVAIL)


class NotListening(Exception):
    """Nobody accepts connections at this address now."""


class QueueFull(Exception):
    """The program does not take the connections that wait for it already."""


class Port:
    """A port of 127.0.0.1 that the program is told to listen on.

    It is held by a socket that does not listen. Linux lets another socket have the same address if both say
    SO_REUSEADDR, as nearly all servers do; nobody gets the port by chance meanwhile. Against intent nothing helps, so
    each connection is looked at: the program at its other end has to be of this process's user.
    """

    def __init__(self, held: bool = True) -> None:
        """`held`: else the port is let go at once, for a program that does not say SO_REUSEADDR."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((_LOOPBACK, 0))
        self.number: int = holder.getsockname()[1]
        self._holder: Optional[socket.socket] = holder
        if not held:
            self.close()

    def __str__(self) -> str:
        return "port %d" % self.number

    def connect(self) -> socket.socket:
        """Return a connection that is made, or is being made (`is_connected`).

        Raises NotListening, OSError.
        """
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _begin(connection, (_LOOPBACK, self.number))

    def is_ours(self, connection: socket.socket) -> bool:
        """Whether a connection that is made leads to a program of this user."""
        try:
            return tcp_owner.is_connected_to(connection, os.geteuid())
        except OSError:
            return False  # it has ended meanwhile

    def close(self) -> None:
        """Hold the port no longer."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None


class PrivateFolder:
    """A folder of this user only, for sockets. It lives as long as its process: `remove` deletes it.

    It is locked, which keeps systemd-tmpfiles(8) from removing it as something old.
    """

    def __init__(self) -> None:
        path = tempfile.mkdtemp(prefix="jumpseat-")
        if len(os.fsencode(path)) > _LONGEST_FOLDER:
            os.rmdir(path)
            path = tempfile.mkdtemp(prefix="jumpseat-", dir="/tmp")  # nosec B108  # mkdtemp's name is nobody else's
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Delete it and what is in it."""
        os.close(self._descriptor)
        shutil.rmtree(self.path, ignore_errors=True)


class PrivateSocket:
    """A socket that the program may make in the private folder."""

    def __init__(self, folder: PrivateFolder) -> None:
        self.path = os.path.join(folder.path, "app.sock")

    def __str__(self) -> str:
        return "socket %s" % self.path

    def connect(self) -> socket.socket:
        """Return a connection. Raises NotListening, QueueFull, OSError."""
        return _begin(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), self.path)

    def is_ours(self, connection: socket.socket) -> bool:
        """Whether a program of this user listens at the other end."""
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return bool(_UCRED.unpack(credentials)[1] == os.geteuid())


def is_connected(connection: socket.socket) -> bool:
    """Whether a connection is made now, once it can be written to. Raises NotListening, OSError."""
    error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise _failure(error)
    try:
        connection.getpeername()
    except OSError:
        return False
    return True


def _begin(connection: socket.socket, address: object) -> socket.socket:
    try:
        connection.setblocking(False)
        error = connection.connect_ex(address)  # type: ignore[arg-type,unused-ignore]
        if error not in (0, errno.EINPROGRESS):
            raise _failure(error)
    except BaseException:
        connection.close()
        raise
    return connection


def _failure(error: int) -> Exception:
    if error in _NOT_YET:
        return NotListening(os.strerror(error))
    return QueueFull() if error == errno.EAGAIN else OSError(error, os.strerror(error))
