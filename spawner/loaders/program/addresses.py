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
import time
from typing import Optional

from . import tcp_owner
from .socket_diagnostics import waiting_at

_LOOPBACK = "127.0.0.1"
_UCRED = struct.Struct("=iII")  # pid, uid, gid: SO_PEERCRED, unix(7)
_LONGEST_PLACE = 60  # bytes of a path, so that a socket's fits below it
_PREFIX = "jumpseat-app-"
_ABANDONED_SECONDS = 60.0  # the age from which a folder that nobody has locked is no new one
_NOTIFICATION_SIZE = 4096  # bytes
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

    It is locked, which keeps systemd-tmpfiles(8) from removing it as something old, and shows whose process lives: the
    folders that killed processes of this user have left are deleted when the next one is made.
    """

    def __init__(self) -> None:
        place = tempfile.gettempdir()
        if len(os.fsencode(place)) > _LONGEST_PLACE:
            place = "/tmp"  # nosec B108  # mkdtemp's name is nobody else's
        for entry in os.scandir(place):
            if entry.name.startswith(_PREFIX):
                _delete_if_left(entry.path)
        self.path = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
        self._descriptor = _lock(self.path)

    def remove(self) -> None:
        """Delete it and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._descriptor)


def _lock(path: str) -> int:
    """Return the descriptor that holds the lock of a folder. Raises OSError: another process has it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _delete_if_left(path: str) -> None:
    """Delete a folder of this user whose process has been killed."""
    try:
        status = os.lstat(path)
        if status.st_uid != os.geteuid() or time.time() - status.st_ctime < _ABANDONED_SECONDS:
            return
        descriptor = _lock(path)
    except OSError:
        return
    shutil.rmtree(path, ignore_errors=True)
    os.close(descriptor)


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


class InheritedSocket(PrivateSocket):
    """A socket that listens already, for a program that accepts on a descriptor which it inherits.

    Invariant: `listener` is open until the program has it.
    """

    def __init__(self, folder: PrivateFolder, backlog: int) -> None:
        super().__init__(folder)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.setblocking(False)  # as the group's socket is
        self.listener.bind(self.path)
        self.listener.listen(backlog)
        self.inode: int = os.fstat(self.listener.fileno()).st_ino
        self._probed = False

    def is_taken(self) -> bool:
        """Whether the program has accepted a connection that is made here for this at the first call."""
        if not self._probed:
            self._probed = True
            try:
                self.connect().close()
            except (NotListening, QueueFull, OSError):
                pass
            return False
        return not waiting_at(self.inode)


class NotificationSocket:
    """Where a program that knows the protocol of systemd's services says that it is ready (sd_notify(3)).

    It has an abstract name, which leaves no file behind. Everybody can send there: what another user sends is dropped.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind("")  # the kernel chooses a name that is free
        self.name: str = "@" + self._socket.getsockname()[1:].decode()

    def fileno(self) -> int:
        """Return the descriptor that is readable when something has come."""
        return self._socket.fileno()

    def says_ready(self) -> bool:
        """Take what has come; whether it is READY=1 of this user."""
        try:
            data, ancillary, _, _ = self._socket.recvmsg(_NOTIFICATION_SIZE, socket.CMSG_SPACE(_UCRED.size))
        except OSError:
            return False
        senders = [_UCRED.unpack(value)[1] for _, kind, value in ancillary if kind == socket.SCM_CREDENTIALS]
        return senders == [os.geteuid()] and b"READY=1" in data.split(b"\n")


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
