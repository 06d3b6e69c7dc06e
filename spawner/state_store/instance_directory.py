"""The instance folder: where httpd's children, the command line tools and the apps find sockets and loaders.

Owners and modes: docs/protocol.md, section 9. Nothing here depends on the umask.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import stat
import sys
from pathlib import Path
from typing import Callable

from spawner import loaders, shared
from spawner.app_types import LOADER_FILE_ENDINGS
from spawner.errors import OperatorError
from spawner.processes.users import SystemUsers, user_label
from spawner.shared.constants import ROUTE_LENGTH
from spawner.system import linux
from spawner.version import VERSION

_COPIED = (loaders, shared)  # packages; they lie beside each other in the folder, too: one imports the other
_BYTECODE = "__pycache__"  # is copied too, if it is there: interpreters of the same version then start sooner
_NAME = re.compile(r"httpd-([0-9]+)(-[0-9a-f]+)?")  # of an instance folder, made by config/instance.c
_LONGEST_SOCKET_PATH = 107  # bytes; sockaddr_un's sun_path has 108 with its NUL (unix(7))


class InstanceDirectory:
    """One httpd's folder.

    :param folder: `<registry>/httpd-<pid>`, absolute; a random part follows where others may make names.
    :param apache_uid: Apache's user, who owns the sockets; `apache_gid`: its group.
    """

    def __init__(self, folder: str, httpd_pid: int, apache_uid: int, apache_gid: int) -> None:
        self.folder = folder
        self.registry = os.path.dirname(folder)
        self.httpd_pid = httpd_pid
        self._apache = (apache_uid, apache_gid)
        self.apps = os.path.join(folder, "apps")
        self.spawner_socket = os.path.join(folder, "spawner.sock")
        self.admin_socket = os.path.join(folder, "admin.sock")
        self._instance_file = os.path.join(folder, "instance.json")
        self._copies: list[str] = []

    @property
    def name(self) -> str:
        """The instance's name, which the command line tools show."""
        return os.path.basename(self.folder)

    @property
    def loaders(self) -> str:
        """The folder of the loaders, which every app's user can read."""
        return os.path.join(self.folder, "loaders")

    def app_socket(self, key: str, token: str = "") -> str:  # nosec B107  # an app may have no token
        """The path of an app group's socket: another one with another token."""
        text = "%s\0%s" % (key, token) if token else key
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        return os.path.join(self.apps, digest[:16] + ".sock")

    def worker_socket(self, app_socket: str, route: str) -> str:
        """The path of a worker's own socket (docs/protocol.md, section 2)."""
        return "%s.%s.sock" % (app_socket[: -len(".sock")], route)

    def listen_for_worker(self, app_socket: str, backlog: int) -> tuple[str, socket.socket]:
        """Make a worker's own socket, with a route that nobody can guess.

        :param app_socket: the path of its group's.
        :returns: the route and the socket.
        :raises OSError: it cannot be bound.
        """
        route = secrets.token_hex(ROUTE_LENGTH // 2)
        return route, self.listen(self.worker_socket(app_socket, route), socket.SOCK_STREAM, 0o600, backlog)

    def remove_worker_socket(self, app_socket: str, route: str) -> None:
        """Remove a worker's own socket, so that no client connects to it any more.

        :param app_socket: the path of its group's.
        :param route: empty: it has none.
        """
        if route:
            self.remove_socket(self.worker_socket(app_socket, route))

    def create(self, server_root: str, started: float) -> None:
        """Make registry, folder and contents; what an earlier spawner of the same httpd has left stays.

        :param started: Unix time in seconds.
        :raises OperatorError: another user could change the folder, or it cannot be made.
        """
        try:
            _make_registry(self.registry)
            _make_folder(self.folder, 0o755)
            _make_folder(self.apps, 0o711)
            self._copy_loaders()
            self._write_instance_file(server_root, started)
        except OSError as error:
            raise OperatorError(
                "cannot make the instance folder %s: %s (PassengerInstanceRegistryDir)" % (self.folder, error)
            ) from error
        self._check_socket_path()

    def _write_instance_file(self, server_root: str, started: float) -> None:
        facts = {
            "name": self.name,
            "httpd_pid": self.httpd_pid,
            "spawner_pid": os.getpid(),
            "version": VERSION,
            "server_root": server_root,
            "started": started,
            "httpd_start_ticks": linux.start_ticks(self.httpd_pid),
        }
        _write(self._instance_file, json.dumps(facts, indent=2).encode() + b"\n")

    def listen(self, path: str, kind: int, mode: int, backlog: int) -> socket.socket:
        """Bind a Unix socket, non-blocking, and listen; Apache's user owns it unless everybody may connect.

        :param kind: SOCK_STREAM or SOCK_SEQPACKET.
        :param mode: whatever the umask is.
        :param backlog: as for listen(2): a Unix socket admits one connection more.
        :raises OSError: it cannot be bound.
        """
        temporary = _temporary_name(path)  # nobody is to find it with a wrong owner, or before it listens
        sock = socket.socket(socket.AF_UNIX, kind)
        try:
            self.remove_socket(temporary)
            before = os.umask(0o777 & ~mode)
            try:
                sock.bind(temporary)
            finally:
                os.umask(before)
            os.chmod(temporary, mode)
            if os.geteuid() == 0 and mode == 0o600:
                os.chown(temporary, *self._apache, follow_symlinks=False)
            sock.setblocking(False)
            sock.listen(backlog)
            os.rename(temporary, path)
        except OSError:
            sock.close()
            raise
        return sock

    def remove_socket(self, path: str) -> None:
        """Remove the file of a socket; one that does not exist is no error."""
        with contextlib.suppress(OSError):
            os.unlink(path)

    def remove_other_sockets(self, kept: set[str]) -> None:
        """Remove app sockets that an earlier spawner has left and that were not taken over.

        :param kept: paths.
        """
        for entry in os.scandir(self.apps):
            if entry.path not in kept:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry.path)

    def missing_files(self) -> list[str]:
        """What `create` has made and has disappeared: cleaners of temporary files remove what looks old."""
        made = [self.apps, self._instance_file, *self._copies]
        return [path for path in made if not os.path.lexists(path)]

    def remove(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _copy_loaders(self) -> None:
        """Copy what runs in the apps' interpreters to where every app's user can read it."""
        self._copies = []
        for package in _COPIED:
            source = Path(str(package.__file__)).parent
            self._copy_folder(source, os.path.join(self.folder, source.name))

    def _copy_folder(self, source: Path, copy: str) -> None:
        _make_folder(copy, 0o755)
        for entry in sorted(source.iterdir()):
            target = os.path.join(copy, entry.name)
            if entry.name == _BYTECODE:
                _copy_bytecode(entry, target)
            elif entry.is_dir():
                self._copy_folder(entry, target)
            elif entry.suffix in LOADER_FILE_ENDINGS:
                _copy_file(entry, target)
                self._copies.append(target)

    def _check_socket_path(self) -> None:
        longest = self.worker_socket(self.app_socket(""), "0" * ROUTE_LENGTH)
        if len(os.fsencode(longest)) > _LONGEST_SOCKET_PATH:
            raise OperatorError(
                "the path %s is longer than the %d bytes that a socket may have: choose a shorter "
                "PassengerInstanceRegistryDir" % (longest, _LONGEST_SOCKET_PATH)
            )


def _temporary_name(path: str) -> str:
    """The name of a socket until it listens: not longer than the final one, whose length is checked."""
    return path[: -len(".sock")] + ".new"


def remove_stale_instances(registry: str, own: str, on_removed: Callable[[str], None]) -> None:
    """Remove the folders of httpds that have ended without removing them.

    :param registry: the folder that has all instance folders.
    :param own: the folder that is in use.
    :param on_removed: called with the name of each that was removed.
    """
    for folder in sorted(Path(registry).glob("httpd-*")):
        # In a shared registry, the name may be another user's: then nothing in it is opened.
        if str(folder) != own and _is_own_folder(str(folder)) and _is_stale(folder):
            shutil.rmtree(folder, ignore_errors=True)
            on_removed(folder.name)


def _is_own_folder(path: str) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _is_stale(folder: Path) -> bool:
    """Whether its httpd has ended: no such process, or another one has its pid now. The clock may be wrong."""
    name = _NAME.fullmatch(folder.name)
    if name is None:
        return False  # not a name of ours
    ticks = linux.start_ticks(int(name[1]))
    if ticks is None:
        return True
    try:
        facts = json.loads((folder / "instance.json").read_bytes())
        return bool(facts["httpd_start_ticks"] != ticks)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # not complete yet


def _make_registry(path: str) -> None:
    """Make the registry, or use an existing folder in which no other user can rename or remove what we make.

    :raises OperatorError: others could do that.
    """
    status = _made_folder(path, 0o755)
    if status.st_uid != 0:
        _check_owner(path, status)
    if not status.st_mode & stat.S_ISVTX:  # with the sticky bit, only the owner of a name may rename or remove it
        _check_mode(path, status)


def _make_folder(path: str, mode: int) -> None:
    """Make a folder with exactly this mode, or use an existing one that is ours alone: an earlier spawner made it.

    :raises OperatorError: it belongs to another user, is no folder, or others may write to it.
    """
    status = _made_folder(path, mode)
    _check_owner(path, status)
    _check_mode(path, status)


def _made_folder(path: str, mode: int) -> os.stat_result:
    """Make a folder if nothing has its name, and look at what has it now. A link is not followed."""
    before = os.umask(0)  # httpd's children must be able to enter the folder at any moment
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        pass
    finally:
        os.umask(before)
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISDIR(status.st_mode):
        raise OperatorError("%s is not a folder (PassengerInstanceRegistryDir)" % path)
    return status


def _check_owner(path: str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise OperatorError(
            "%s belongs to %s, who could replace what is in it, and not to %s; remove it or choose another "
            "PassengerInstanceRegistryDir"
            % (path, user_label(status.st_uid, SystemUsers()), user_label(os.geteuid(), SystemUsers()))
        )


def _check_mode(path: str, status: os.stat_result) -> None:
    if status.st_mode & 0o022:
        raise OperatorError(
            "%s has mode %03o, so that others may replace what is in it: chmod go-w it or choose another "
            "PassengerInstanceRegistryDir" % (path, stat.S_IMODE(status.st_mode))
        )


def _copy_bytecode(source: Path, copy: str) -> None:
    """Copy what Python of the spawner's version has compiled. It may be missing, and nobody misses it later."""
    _make_folder(copy, 0o755)
    for entry in source.glob("*.%s.pyc" % sys.implementation.cache_tag):
        _copy_file(entry, os.path.join(copy, entry.name))


def _copy_file(source: Path, copy: str) -> None:
    """Copy a file and its times: by them Python sees whether the bytecode belongs to the source."""
    _write(copy, source.read_bytes())
    status = source.stat()
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


def _write(path: str, data: bytes) -> None:
    """Write a file that everybody may read; readers see the old or the new one as a whole."""
    temporary = "%s.new" % path
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, 0o644)
    os.replace(temporary, path)
