"""Where a worker's connections and orders come in, and the epolls that wait for them.

One epoll for each set of doors that is open at a time: an epoll that nobody waits in is passed over when a connection
wakes one worker, so that a worker changes what it waits for without a system call.
"""

import errno
import select
import socket
from typing import Any, Dict, List, Optional, Tuple

from . import originals

MOST_EVENTS = 5  # the group's socket, the worker's own, control line, lifeline, signals

_EXCLUSIVE = getattr(select, "EPOLLEXCLUSIVE", 1 << 28)


class Doors:
    """The group's socket, which all workers accept on, the worker's own if it has one, and where orders come from.

    Owns the worker's own socket.
    """

    def __init__(self, group: socket.socket, own: Optional[int], orders: List[int]) -> None:
        """`own`: a listening socket's descriptor; `orders`: descriptors that are always watched."""
        self.group = group
        self.own: Optional[socket.socket] = None
        if own is not None:
            self.own = originals.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, own)
            self.own.setblocking(False)
        self._orders = orders
        self._epolls: Dict[Tuple[bool, bool], select.epoll] = {}

    def watch(self, group: bool, own: bool) -> Any:
        """Return the poll() of an epoll on the orders, and on the named sockets as far as they are there."""
        chosen = (group, own and self.own is not None)
        if chosen not in self._epolls:
            self._epolls[chosen] = self._new_epoll(*chosen)
        return self._epolls[chosen].poll

    def step_back(self) -> None:
        """Have the other workers woken before this one: the kernel takes them in the order of their registration."""
        for (group, _), poller in self._epolls.items():
            if group:
                poller.unregister(self.group.fileno())
                _register_exclusively(poller, self.group.fileno())

    def close_own(self) -> None:
        """Give up the worker's own socket."""
        if self.own is not None:
            self.own.close()
            self.own = None

    def _new_epoll(self, group: bool, own: bool) -> select.epoll:
        poller = originals.Epoll()
        if group:
            _register_exclusively(poller, self.group.fileno())
        if own and self.own is not None:
            poller.register(self.own.fileno(), select.EPOLLIN)
        for descriptor in self._orders:
            poller.register(descriptor, select.EPOLLIN)
        return poller


def _register_exclusively(poller: select.epoll, descriptor: int) -> None:
    """One connection wakes one worker."""
    try:
        poller.register(descriptor, select.EPOLLIN | _EXCLUSIVE)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Linux before 4.5: every worker is woken, one gets the connection
            raise
        poller.register(descriptor, select.EPOLLIN)
