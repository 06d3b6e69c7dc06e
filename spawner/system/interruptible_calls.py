"""System calls that somebody else can make block: in a thread of their own, and interrupted when they take too long.

The loop's thread never makes such a call. accept(2) blocks when an app has cleared O_NONBLOCK, which all holders of a
socket share. close(2) of a Unix socket closes the descriptors that wait in its queue, and so blocks as long as the
sender of a TCP socket with SO_LINGER wants.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import queue
import select
import signal
import socket
import threading
import time
from typing import Callable

LIMIT = 0.1  # seconds until a call is interrupted
#: Interrupts a call. Nothing else of the spawner uses it; it is ignored where no handler is set.
INTERRUPT = signal.SIGURG

_libc = ctypes.CDLL(None, use_errno=True)


def allow_interrupts() -> None:
    """Have the signal interrupt calls. Only from the main thread."""
    signal.signal(INTERRUPT, lambda number, frame: None)


class InterruptibleCalls:
    """Makes calls one after the other.

    Invariant: `_began` is when the present call began, in seconds of time.monotonic(), and 0.0 while there is none.

    :param limit: seconds until a call is interrupted, again and again until it returns.
    """

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._began = 0.0
        self._busy = threading.Event()
        self._caller = threading.Thread(target=self._make_calls, name="calls", daemon=True)

    def submit(self, call: Callable[[], object]) -> None:
        """Make a call as soon as those before it have returned. It must return when a signal interrupts it.

        :param call: raises nothing but OSError, which is dropped.
        """
        if self._caller.ident is None:
            self._caller.start()
            threading.Thread(target=self._interrupt_late_calls, name="interrupts", daemon=True).start()
        self._calls.put(call)

    def _make_calls(self) -> None:
        while True:
            call = self._calls.get()
            self._began = time.monotonic()
            self._busy.set()
            with contextlib.suppress(OSError):
                call()
            self._busy.clear()
            self._began = 0.0

    def _interrupt_late_calls(self) -> None:
        while True:
            self._busy.wait()
            began = self._began
            time.sleep(self._limit)
            if began and self._began == began and self._caller.ident is not None:
                signal.pthread_kill(self._caller.ident, INTERRUPT)


_shared = InterruptibleCalls()
submit = _shared.submit


def accept_waiting(listener: int, most: int) -> tuple[list[socket.socket], bool]:
    """Accept the connections that wait at a listening socket. For a call in the thread only.

    :param listener: a Unix socket, blocking or not.
    :param most: connections.
    :returns: the connections, non-blocking, and whether another holder of the socket took one away meanwhile, so that
        the call blocked until it was interrupted.
    """
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    accepted: list[socket.socket] = []
    while len(accepted) < most and poll.poll(0):
        descriptor = _libc.accept4(listener, None, None, socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        if descriptor < 0:
            return accepted, ctypes.get_errno() == errno.EINTR
        connection = socket.socket(fileno=descriptor)
        connection.setblocking(False)
        accepted.append(connection)
    return accepted, False


def close_later(sock: socket.socket) -> None:
    """Close a socket in the thread; for the caller it is closed at once."""
    descriptor = sock.detach()
    if descriptor >= 0:
        submit(lambda: os.close(descriptor))
