"""Descriptors that the import has opened and forks inherit: what each is, who opened it, what sharing it does."""

import stat
import sys
from typing import Any, Dict, Iterator, List, Optional, Sequence

from ..core.unpatched import O_ACCMODE, SO_DOMAIN, fcntl, os, socket
from . import module_globals
from .import_tracer import CallSite, ImportTracer, open_descriptors

_SQLITE_MAGIC = b"SQLite format 3\0"
_PROTOCOLS = {
    389: "LDAP", 636: "LDAP", 443: "HTTPS", 1433: "SQL Server", 1521: "Oracle", 2181: "ZooKeeper", 3306: "MySQL",
    4222: "NATS", 5432: "PostgreSQL", 5672: "AMQP", 6379: "Redis", 6432: "PgBouncer", 9042: "Cassandra",
    9092: "Kafka", 9200: "Elasticsearch", 11211: "memcached", 27017: "MongoDB",
}  # fmt: skip
_UNIX_PROTOCOLS = ((".s.PGSQL.", "PostgreSQL"), ("mysql", "MySQL"), ("redis", "Redis"), ("docker", "Docker"))
_LOGS = ("/dev/log", "/run/systemd/journal/")  # whole datagrams one way: nothing can be mixed up
_EVENT_KINDS = {
    "[eventpoll]": "an event loop's epoll descriptor",
    "inotify": "an inotify descriptor (a watcher of files)",
    "[inotify]": "an inotify descriptor (a watcher of files)",
    "[signalfd]": "a signalfd",
    "[timerfd]": "a timerfd",
    "[io_uring]": "an io_uring",
}
_REMEDY = "open it in after_fork(), or when it is first used."


class InheritedDescriptors:
    """The descriptors that the import has opened and not closed. `ours`: the loader's own, left out."""

    def __init__(self, tracer: ImportTracer, ours: Sequence[int]) -> None:
        self._tracer = tracer
        known = {0, 1, 2, *ours, *tracer.descriptors}
        self._numbers = [number for number in open_descriptors() if number not in known]
        self._pipe_ends = self._count_pipe_ends()

    def warnings(self) -> Iterator[str]:
        """Yield a text for each that forks had better not share."""
        for number in self._numbers:
            try:
                warning = self._warning(number, os.fstat(number))
            except OSError:  # closed meanwhile, by a thread of the app
                continue
            if warning:
                yield warning

    def _warning(self, number: int, status: os.stat_result) -> Optional[str]:
        if stat.S_ISSOCK(status.st_mode):
            return self._socket(number, status)
        if stat.S_ISFIFO(status.st_mode):
            return self._pipe(number, status)
        link = os.readlink("/proc/self/fd/{}".format(number))
        if link.startswith("anon_inode:"):
            return self._event_source(number, link[len("anon_inode:") :])
        if stat.S_ISREG(status.st_mode) and os.pread(number, len(_SQLITE_MAGIC), 0) == _SQLITE_MAGIC:
            what = "the SQLite database {} was opened during the import. All workers share its locks: ".format(link)
            return what + _REMEDY
        return None

    # Sockets

    def _socket(self, number: int, status: os.stat_result) -> Optional[str]:
        with _socket_of(number) as copy:
            if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return self._listening(number, status, copy)
            try:
                peer = copy.getpeername()
            except OSError:
                return None
            if not peer or _is_system_log(peer):
                return None
            family = copy.family
        protocol = _protocol(family, peer)
        what = "a connection to {}{}".format(_address(peer), " ({})".format(protocol) if protocol else "")
        where = self._opened_by(number, status)
        return "{} was opened during the import{}. All workers share it: {}".format(what, where, _REMEDY)

    def _listening(self, number: int, status: os.stat_result, copy: Any) -> str:
        what = "a socket that listens at {} was opened during the import{}".format(
            _address(copy.getsockname()), self._opened_by(number, status)
        )
        return what + ". All workers share it: open it in after_fork(), with an address for each worker."

    def _opened_by(self, number: int, status: os.stat_result) -> str:
        call_site: Optional[CallSite] = self._tracer.sockets.get(status.st_ino)
        return " at {}".format(call_site) if call_site is not None else _held_by(number)

    # Pipes, and what wakes event loops

    def _count_pipe_ends(self) -> Dict[int, int]:
        """By inode, which ends (1: for reading, 2: for writing) of each pipe this process has."""
        ends: Dict[int, int] = {}
        for number in open_descriptors():
            try:
                status = os.fstat(number)
                if stat.S_ISFIFO(status.st_mode):
                    writes = fcntl.fcntl(number, fcntl.F_GETFL) & O_ACCMODE
                    end = {os.O_RDONLY: 1, os.O_WRONLY: 2}.get(writes, 3)
                    ends[status.st_ino] = ends.get(status.st_ino, 0) | end
            except OSError:
                continue
        return ends

    def _pipe(self, number: int, status: os.stat_result) -> Optional[str]:
        """A pipe of which both ends are here wakes the process itself, or is meant to be shared (a queue)."""
        if self._pipe_ends.get(status.st_ino, 3) == 3:
            return None
        other = _process_with(status.st_ino)
        what = "a pipe to {} was opened during the import{}".format(other or "another process", _held_by(number))
        return what + ". All workers share it: start the process at its other end in after_fork()."

    @staticmethod
    def _event_source(number: int, kind: str) -> Optional[str]:
        name = _EVENT_KINDS.get(kind)
        if name is None:
            return None
        what = "{} was opened during the import{}. All workers share it, and each gets events of the others: "
        return what.format(name, _held_by(number)) + "create the event loop, or the watcher, in after_fork()."


def _held_by(number: int) -> str:
    """Return which global holds an object of this descriptor: ` (held by 'pool' of /srv/app/db.py:7)`."""

    def holds(value: Any) -> bool:
        return _descriptor_of(value) == number

    found = module_globals.find(holds)
    return " (held by {})".format(found) if found is not None else ""


def _descriptor_of(value: Any) -> int:
    """Return what `value` gives as its descriptor, or its selector does (an event loop has one); else -1."""
    if not issubclass(type(value), type) and module_globals.has_method(value, "fileno"):
        try:
            number = value.fileno()
        except Exception:  # noqa: BLE001 - any object of the app's
            return -1
        return number if isinstance(number, int) else -1
    if module_globals.has_method(value, "run_forever"):
        return _descriptor_of(getattr(value, "_selector", None))
    return -1


def _socket_of(number: int) -> Any:
    """Return a socket on a copy of the descriptor. Python 3.6 does not find out its family."""
    copy = os.dup(number)
    if sys.version_info >= (3, 7):
        return socket.socket(fileno=copy)
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, copy)
    family = probe.getsockopt(socket.SOL_SOCKET, SO_DOMAIN)
    kind = probe.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    return socket.socket(family, kind, 0, probe.detach())


def _is_system_log(peer: Any) -> bool:
    text = peer.decode("utf-8", "replace") if isinstance(peer, bytes) else peer
    return isinstance(text, str) and text.startswith(_LOGS)


def _address(address: Any) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        host = str(address[0])
        return "{}:{}".format("[{}]".format(host) if ":" in host else host, address[1])
    if isinstance(address, bytes):
        return "@" + address.strip(b"\0").decode("utf-8", "replace") if address[:1] == b"\0" else repr(address)
    return str(address) or "an address without a name"


def _protocol(family: int, peer: Any) -> str:
    if isinstance(peer, tuple) and family in (socket.AF_INET, socket.AF_INET6):
        return _PROTOCOLS.get(peer[1], "")
    text = str(peer)
    return next((name for part, name in _UNIX_PROTOCOLS if part in text), "")


def _process_with(inode: int) -> str:
    """Return the child process that holds a pipe's other end, with its name."""
    name = "pipe:[{}]".format(inode)
    for pid in _children():
        folder = "/proc/{}/fd".format(pid)
        try:
            links = [os.readlink(os.path.join(folder, entry)) for entry in os.listdir(folder)]
            with open("/proc/{}/comm".format(pid)) as file:
                command = file.read().strip()
        except OSError:
            continue
        if name in links:
            return "process {} ({})".format(pid, command)
    return ""


def _children() -> List[str]:
    try:
        with open("/proc/self/task/{}/children".format(os.getpid())) as file:
            return file.read().split()
    except OSError:
        return []
