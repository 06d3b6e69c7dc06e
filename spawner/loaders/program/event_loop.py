"""One epoll with the functions to call, and timers: all that a supervisor waits for. Single-threaded."""

import errno
import heapq
import itertools
import select
import time
from typing import Callable, Dict, List, Optional, Tuple

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
HANG_UP = select.EPOLLHUP | select.EPOLLERR  # epoll reports them always
_EXCLUSIVE: int = getattr(select, "EPOLLEXCLUSIVE", 1 << 28)
_MOST_EVENTS = 64  # in one turn

Handler = Callable[[int], None]


class Timer:
    """A call that is to be made later, unless it is cancelled before."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Optional[Callable[[], None]] = action

    def cancel(self) -> None:
        """Make no call."""
        self._action = None

    def fire(self) -> None:
        """Make the call, once."""
        action, self._action = self._action, None
        if action is not None:
            action()


class EventLoop:
    """Calls a descriptor's handler with the events that it has, and timers when they are due."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: Dict[int, Handler] = {}
        self._timers: List[Tuple[float, int, Timer]] = []
        self._numbers = itertools.count()  # timers of the same moment fire in their order
        self._stopped = False

    def watch(self, descriptor: int, events: int, handler: Handler) -> None:
        """Call `handler` with the events of `descriptor` from now on, until `forget`."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, events)

    def watch_exclusively(self, descriptor: int, handler: Handler) -> None:
        """As `watch`, of a listening socket on which other processes accept, too: a connection wakes one of them."""
        try:
            self._epoll.register(descriptor, READ | _EXCLUSIVE)
        except OSError as error:
            if error.errno != errno.EINVAL:  # Linux before 4.5: all are woken, one gets the connection
                raise
            self._epoll.register(descriptor, READ)
        self._handlers[descriptor] = handler

    def change(self, descriptor: int, events: int) -> None:
        """Wait for other events of a descriptor that is watched."""
        self._epoll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no longer. One that is not watched is no error."""
        if self._handlers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Call `action` after so many seconds."""
        timer = Timer(action)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), timer))
        return timer

    def stop(self) -> None:
        """Have `run` return."""
        self._stopped = True

    def run(self) -> None:
        """Wait and call until `stop`."""
        while not self._stopped:
            self._turn()

    def _turn(self) -> None:
        for descriptor, events in self._epoll.poll(self._timeout(), _MOST_EVENTS):
            handler = self._handlers.get(descriptor)  # an earlier one may have closed it
            if handler is not None and not self._stopped:
                handler(events)
        while self._timers and self._timers[0][0] <= time.monotonic() and not self._stopped:
            heapq.heappop(self._timers)[2].fire()

    def _timeout(self) -> float:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else -1.0
