"""The sockets on which a worker accepts, the connections that it has kept, and the epolls in which it waits for them.

One epoll for each set of sockets that is watched at a time. The kernel passes over an epoll that nobody waits in when a
connection wakes one worker, so a worker changes what it waits for without a system call.
"""

import errno
from typing import Any, Dict, List, Optional, Set, Tuple

from . import unpatched
from .unpatched import Connection, select, socket

MOST_EVENTS = 8  # the group's socket, the worker's own, control line, lifeline, signals, and kept connections
_MOST_KEPT = 128  # connections
_HANG_UP = select.EPOLLHUP | select.EPOLLERR


class Listeners:
    """The group's socket, on which all workers accept, and the worker's own if it has one (sticky sessions).

    Beside them the connections that wait for another request: the epoll that watches both sockets watches these, too.
    Owns the worker's own socket and these connections. With threads, the kernel does not watch a connection on which a
    request has come, until it is kept again.

    Invariants: `_waiting` has the kept connections that are in no request; `_registered` has the descriptors of all.
    """

    def __init__(self, group: socket.socket, own: Optional[int], control: List[int], threads: int) -> None:
        """`own`: a listening socket's descriptor; `control`: descriptors that every epoll watches besides."""
        self.group = group
        self.own: Optional[socket.socket] = None
        if own is not None:
            self.own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, own)
            self.own.setblocking(False)
        self._control = control
        self._epolls: Dict[Tuple[bool, bool], select.epoll] = {}
        self._main: Any = None  # the epoll that watches both sockets; there is one before a connection can be kept
        self._once = threads > 1
        self._kept_events = select.EPOLLIN | (unpatched.EPOLLONESHOT if self._once else 0)
        self._waiting: Dict[int, Connection] = {}
        self._registered: Set[int] = set()

    def poller(self, group: bool, own: bool) -> Any:
        """Return the poll() of an epoll on the control descriptors and on the named sockets, as far as they exist."""
        watched = (group, own and self.own is not None)
        if watched not in self._epolls:
            self._epolls[watched] = self._new_epoll(*watched)
            if self._main is None and group and own:
                self._main = self._epolls[watched]
        return self._epolls[watched].poll

    def prefer_other_workers(self) -> None:
        """Have the next connection wake another worker: the kernel wakes them in the order of their registration."""
        for (group, _), epoll in self._epolls.items():
            if group:
                epoll.unregister(self.group.fileno())
                _register_exclusively(epoll, self.group.fileno())

    # Kept connections. `keep` and `close` may be called in any thread.

    def can_keep(self) -> bool:
        """Whether another connection may be kept."""
        return len(self._registered) < _MOST_KEPT

    def keep(self, connection: Connection) -> None:
        """A request on this connection is over, and another one may come."""
        descriptor = connection.fileno()
        self._waiting[descriptor] = connection
        if descriptor not in self._registered:
            self._registered.add(descriptor)
            self._main.register(descriptor, self._kept_events)
        elif self._once:
            self._main.modify(descriptor, self._kept_events)

    def take_kept(self, descriptor: int, events: int) -> Optional[Connection]:
        """Return the kept connection on which something has come; None if that was its end, or it is none."""
        connection = self._waiting.pop(descriptor, None)
        if connection is not None and events & _HANG_UP:
            self.close(connection)
            return None
        return connection

    def watch_again(self, descriptor: int) -> None:
        """What has come on a kept connection is left for later."""
        if self._once and descriptor in self._waiting:
            self._main.modify(descriptor, self._kept_events)

    def close(self, connection: Connection) -> None:
        """Close a connection, whether it was kept or not."""
        descriptor = connection.fileno()
        if descriptor in self._registered:
            self._registered.discard(descriptor)
            self._main.unregister(descriptor)
        connection.close()

    def close_kept(self) -> None:
        """Close those that wait for a request."""
        while self._waiting:
            self.close(self._waiting.popitem()[1])

    def close_own(self) -> None:
        """Close the worker's own socket."""
        if self.own is not None:
            self.own.close()
            self.own = None

    def _new_epoll(self, group: bool, own: bool) -> select.epoll:
        epoll = select.epoll()
        if group:
            _register_exclusively(epoll, self.group.fileno())
        if own and self.own is not None:
            epoll.register(self.own.fileno(), select.EPOLLIN)
        for descriptor in self._control:
            epoll.register(descriptor, select.EPOLLIN)
        return epoll


def _register_exclusively(epoll: select.epoll, descriptor: int) -> None:
    """One connection wakes one worker."""
    try:
        epoll.register(descriptor, select.EPOLLIN | unpatched.EPOLLEXCLUSIVE)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Linux before 4.5: every worker is woken, one gets the connection
            raise
        epoll.register(descriptor, select.EPOLLIN)
