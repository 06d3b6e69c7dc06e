"""The sockets on which a worker accepts connections, and the epolls in which it waits for them.

One epoll for each set of sockets that is watched at a time. The kernel passes over an epoll that nobody waits in when a
connection wakes one worker, so a worker changes what it waits for without a system call.
"""

import errno
from typing import Any, Dict, List, Optional, Tuple

from . import unpatched
from .unpatched import select, socket

MOST_EVENTS = 5  # the group's socket, the worker's own, control line, lifeline, signals


class Listeners:
    """The group's socket, on which all workers accept, and the worker's own if it has one (sticky sessions).

    Owns the worker's own socket.
    """

    def __init__(self, group: socket.socket, own: Optional[int], control: List[int]) -> None:
        """`own`: a listening socket's descriptor; `control`: descriptors that every epoll watches besides."""
        self.group = group
        self.own: Optional[socket.socket] = None
        if own is not None:
            self.own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, own)
            self.own.setblocking(False)
        self._control = control
        self._epolls: Dict[Tuple[bool, bool], select.epoll] = {}

    def poller(self, group: bool, own: bool) -> Any:
        """Return the poll() of an epoll on the control descriptors and on the named sockets, as far as they exist."""
        watched = (group, own and self.own is not None)
        if watched not in self._epolls:
            self._epolls[watched] = self._new_epoll(*watched)
        return self._epolls[watched].poll

    def prefer_other_workers(self) -> None:
        """Have the next connection wake another worker: the kernel wakes them in the order of their registration."""
        for (group, _), epoll in self._epolls.items():
            if group:
                epoll.unregister(self.group.fileno())
                _register_exclusively(epoll, self.group.fileno())

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
