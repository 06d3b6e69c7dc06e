"""Descriptors that the import has opened and forks inherit: what each is, who opened it, what sharing it does."""

import stat
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ....shared.app_files import AppFiles
from ..core.unpatched import O_ACCMODE, SO_DOMAIN, fcntl, os, socket
from .fork_hazards import Hazard, hazard
from .import_tracer import CallSite, ImportTracer, open_descriptors
from .object_holders import Holder, ObjectHolders, descriptor_of

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
# By the library that holds the connection: the recipe, and what it says in short.
_RECIPES = {
    "sqlalchemy": ("sqlalchemy", "call dispose(close=False) of the engine in after_fork()."),
    "django": ("django", "close it at the end of the entry file (connections.close_all())."),
    "redis": ("redis-py", "create the object that holds it in after_fork()."),
}
_MOST_HOLDERS = 3  # that are named
_OF_MULTIPROCESSING = (
    ("multiprocessing.resource_tracker", "_resource_tracker", ("_fd",)),
    ("multiprocessing.semaphore_tracker", "_semaphore_tracker", ("_fd",)),  # Python 3.7 and older
    ("multiprocessing.forkserver", "_forkserver", ("_forkserver_alive_fd",)),
)


class InheritedDescriptors:
    """The descriptors that the import has opened and not closed.

    `ours`: the loader's own, left out with their copies.
    """

    def __init__(self, tracer: ImportTracer, ours: Sequence[int], files: AppFiles) -> None:
        self._tracer = tracer
        self._files = files
        known = {0, 1, 2, *ours, *tracer.descriptors, *_descriptors_of_multiprocessing()}
        copied = {_identity(number) for number in ours} - {None}
        self._numbers = [
            number for number in open_descriptors() if number not in known and _identity(number) not in copied
        ]
        self._pipe_ends = self._count_pipe_ends()
        self._found_holders: Optional[ObjectHolders] = None

    def hazards(self) -> Iterator[Hazard]:
        """Yield a hazard for each that forks had better not share."""
        for number in self._numbers:
            try:
                found = self._hazard(number, os.fstat(number))
            except OSError:  # closed meanwhile, by a thread of the app
                continue
            if found is not None:
                yield found

    def _hazard(self, number: int, status: os.stat_result) -> Optional[Hazard]:
        if stat.S_ISSOCK(status.st_mode):
            return self._socket(number, status)
        if stat.S_ISFIFO(status.st_mode):
            return self._pipe(number, status)
        link = os.readlink("/proc/self/fd/{}".format(number))
        if link.startswith("anon_inode:"):
            return self._event_source(number, link[len("anon_inode:") :])
        if stat.S_ISREG(status.st_mode) and os.pread(number, len(_SQLITE_MAGIC), 0) == _SQLITE_MAGIC:
            return self._database(number, link)
        return None

    # Who holds it

    @property
    def _holders(self) -> ObjectHolders:
        """To look for them takes a moment: only when there is something to tell."""
        if self._found_holders is None:
            self._found_holders = ObjectHolders(self._files)
        return self._found_holders

    def _opened_by(self, number: int, status: os.stat_result) -> str:
        call_site: Optional[CallSite] = self._tracer.sockets.get(status.st_ino)
        if call_site is not None:
            return " at {}".format(call_site)
        holder = self._holders.descriptors.get(number)
        return _held_by([holder] if holder else [])

    def _is_shared(self, number: int) -> Callable[[], bool]:
        """Return what says in a worker whether it still has this very descriptor, and what held it holds it still."""
        before = _identity(number)
        holder = self._holders.descriptors.get(number)

        def is_it(value: Any) -> bool:
            return holder is not None and id(value) == holder.identity and descriptor_of(value) == number

        return lambda: _identity(number) == before and (holder is None or holder.still_leads_to(is_it))

    # Sockets

    def _socket(self, number: int, status: os.stat_result) -> Optional[Hazard]:
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
        holder = self._holders.descriptors.get(number)
        if holder is not None and holder.notices_a_fork:
            return None
        protocol = _protocol(family, peer)
        what = "a connection to {}{}".format(_address(peer), " ({})".format(protocol) if protocol else "")
        text = "{} was opened during the import{}. All workers share it: ".format(what, self._opened_by(number, status))
        recipe, remedy = _recipe(holder)
        return hazard("connection", _address(peer), text + remedy, recipe, self._is_shared(number))

    def _listening(self, number: int, status: os.stat_result, copy: Any) -> Hazard:
        address = _address(copy.getsockname())
        where = self._opened_by(number, status)
        text = "a socket that listens at {} was opened during the import{}. All workers share it: {}".format(
            address, where, "open it in after_fork(), with an address for each worker."
        )
        return hazard("listener", address, text, "listening-sockets", self._is_shared(number))

    def _database(self, number: int, path: str) -> Hazard:
        """SQLite does not say which descriptor is whose: every connection to it may be the one."""
        databases = self._holders.databases
        holders = list(databases.values())
        text = "the SQLite database {} was opened during the import{}. All workers share its locks: ".format(
            path, _held_by(holders)
        )
        recipe, remedy = _recipe(holders[0] if holders else None)
        before = _identity(number)
        name = os.path.basename(path)
        recipe = recipe if recipe == "sqlalchemy" else "sqlite"

        def is_so() -> bool:
            held = any(holder.still_leads_to(lambda value: id(value) in databases) for holder in holders)
            return _identity(number) == before and (held or not holders)

        return hazard("sqlite", name, text + remedy, recipe, is_so)

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

    def _pipe(self, number: int, status: os.stat_result) -> Optional[Hazard]:
        """A pipe of which both ends are here wakes the process itself, or is meant to be shared (a queue)."""
        if self._pipe_ends.get(status.st_ino, 3) == 3:
            return None
        command = _command_with(status.st_ino)
        other = "a process of {!r}".format(command) if command else "another process"
        text = "a pipe to {} was opened during the import{}. All workers share it: {}".format(
            other, self._opened_by(number, status), "start the process at its other end in after_fork()."
        )
        return hazard("pipe", command, text, "pipes-to-processes", self._is_shared(number))

    def _event_source(self, number: int, kind: str) -> Optional[Hazard]:
        name = _EVENT_KINDS.get(kind)
        if name is None:
            return None
        holder = self._holders.descriptors.get(number)
        what = "{} was opened during the import{}. All workers share it, and each gets events of the others: "
        text = what.format(name, _held_by([holder] if holder else []))
        subject = holder.name if holder is not None else ""
        text += "create the event loop, or the watcher, in after_fork()."
        return hazard(kind.strip("[]"), subject, text, "event-loops-and-watchers", self._is_shared(number))


def _held_by(holders: Sequence[Holder]) -> str:
    """Return which globals hold it: ` (held by 'pool' of /srv/app/db.py:7)`."""
    named = list(dict.fromkeys(str(holder) for holder in holders))
    return " (held by {})".format(" or ".join(named[:_MOST_HOLDERS])) if named else ""


def _recipe(holder: Optional[Holder]) -> Tuple[str, str]:
    """Return where docs/preloading.md says what to do, and that in short."""
    libraries = holder.libraries if holder is not None else ()
    return next((found for library, found in _RECIPES.items() if library in libraries), ("connections", _REMEDY))


def _identity(number: int) -> Optional[Tuple[int, int, str]]:
    """Return what tells one open file from another one, and not from a copy; None if it is closed.

    All event sources are of one inode: each is itself alone.
    """
    try:
        status = os.fstat(number)
        link = os.readlink("/proc/self/fd/{}".format(number))
    except OSError:
        return None
    return status.st_dev, status.st_ino, "{} {}".format(link, number) if link.startswith("anon_inode:") else ""


def _descriptors_of_multiprocessing() -> List[int]:
    """Return those that `multiprocessing` opens for forks to share, and those with which it watches its processes."""
    numbers: List[Any] = []
    for module, variable, names in _OF_MULTIPROCESSING:
        owner = vars(sys.modules[module]).get(variable) if module in sys.modules else None
        numbers += [getattr(owner, name, None) for name in names]
    for child in getattr(sys.modules.get("multiprocessing.process"), "_children", ()):
        popen = getattr(child, "_popen", None)
        numbers.append(getattr(popen, "sentinel", None))
        numbers += getattr(getattr(popen, "finalizer", None), "_args", None) or ()
    return [number for number in numbers if isinstance(number, int)]


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


def _command_with(inode: int) -> str:
    """Return the name of the child process that holds a pipe's other end."""
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
            return command
    return ""


def _children() -> List[str]:
    try:
        with open("/proc/self/task/{}/children".format(os.getpid())) as file:
            return file.read().split()
    except OSError:
        return []
