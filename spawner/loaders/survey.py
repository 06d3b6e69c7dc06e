"""What the app holds after its import that a forked worker cannot share: threads, connections, databases.

Each finding is one line for the app's log. Looking must never fail a start: what cannot be looked at is passed over.
"""

import os
import socket
import stat
import sys
from typing import Any, Iterator, List, Optional, Set

from .originals import Socket

_SQLITE_MAGIC = b"SQLite format 3\0"


def findings(ours: Set[int]) -> List[str]:
    """Return one line per finding. `ours`: the loader's own descriptors."""
    return list(_threads()) + list(_descriptors(ours))


def _threads() -> Iterator[str]:
    python_threads = _python_threads()
    for thread in python_threads:
        yield "The thread {!r}{} was started at import and runs in no worker: start it in after_fork().".format(
            thread.name, _place(thread)
        )
    native = _native_thread_count() - 1 - len(python_threads)
    if native > 0:
        what = "{} native thread(s) were started at import, by an extension module, and run in no worker."
        yield what.format(native)


def _python_threads() -> List[Any]:
    threading = sys.modules.get("threading")
    if threading is None:
        return []
    main = threading.main_thread()
    return [thread for thread in threading.enumerate() if thread is not main]


def _place(thread: Any) -> str:
    """Return where the thread's function is written: ` (file:line)`."""
    function = getattr(thread, "_target", None) or type(thread).run
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return " ({}:{})".format(code.co_filename, code.co_firstlineno) if code is not None else ""


def _native_thread_count() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 0


def _descriptors(ours: Set[int]) -> Iterator[str]:
    try:
        numbers = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    except OSError:
        return
    for number in numbers:
        if number > 2 and number not in ours:
            finding = _descriptor(number)
            if finding:
                yield finding


def _descriptor(number: int) -> Optional[str]:
    try:
        mode = os.fstat(number).st_mode
        if stat.S_ISSOCK(mode):
            return _connection(number)
        if stat.S_ISREG(mode) and os.pread(number, len(_SQLITE_MAGIC), 0) == _SQLITE_MAGIC:
            path = os.readlink("/proc/self/fd/{}".format(number))
            return _shared("The SQLite database {} was opened at import".format(path))
    except OSError:
        pass
    return None


def _connection(number: int) -> Optional[str]:
    """Return the finding for a socket that has a peer which others can name."""
    with Socket(fileno=os.dup(number)) if sys.version_info >= (3, 7) else _socket_of(number) as copy:
        try:
            peer = copy.getpeername()
        except OSError:
            return None
        if not peer:
            return None
    where = "{}:{}".format(peer[0], peer[1]) if isinstance(peer, tuple) else str(peer)
    return _shared("A connection to {} (descriptor {}) was opened at import".format(where, number))


def _socket_of(number: int) -> socket.socket:
    """Python 3.6 does not find out a descriptor's family."""
    for family in (socket.AF_INET, socket.AF_INET6):
        copy = Socket(family, socket.SOCK_STREAM, 0, os.dup(number))
        if copy.getsockopt(socket.SOL_SOCKET, 39) == family:  # SO_DOMAIN
            return copy
        copy.close()
    return Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, os.dup(number))


def _shared(what: str) -> str:
    return what + ", and all workers share it: open it in after_fork(), or at the first use."
