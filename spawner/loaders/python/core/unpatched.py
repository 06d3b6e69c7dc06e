"""The system's calls as this loader uses them, the same in every interpreter and whatever the app replaces.

They are taken before the app is loaded: an app may replace those of `os`, `socket` and `select` for itself (gevent and
eventlet do), and the loader's own processes and sockets must not follow. Some interpreters lack a name; the values are
Linux's.
"""

import _socket
import _thread
import os
import select
import signal
import socket
import time

Connection = _socket.socket  # without the layer in Python, which costs 1 us per connection
Epoll = select.epoll
RLock = _thread.RLock
Socket = socket.socket
allocate_lock = _thread.allocate_lock
end_process = os._exit
fork = os.fork
get_signal = signal.getsignal
poll = select.poll
set_signal = signal.signal
set_signal_mask = signal.pthread_sigmask
set_wakeup_fd = signal.set_wakeup_fd
start_new_thread = _thread.start_new_thread
waitpid = os.waitpid

EPOLLEXCLUSIVE: int = getattr(select, "EPOLLEXCLUSIVE", 1 << 28)
MSG_CMSG_CLOEXEC: int = getattr(socket, "MSG_CMSG_CLOEXEC", 0x40000000)  # PyPy
MSG_NOSIGNAL: int = getattr(socket, "MSG_NOSIGNAL", 0x4000)  # PyPy
O_ACCMODE = 3  # PyPy
SO_DOMAIN = 39  # CPython


def _monotonic_ns() -> int:
    """CLOCK_MONOTONIC in ns, for Python 3.6, which has no time.monotonic_ns."""
    return int(time.monotonic() * 1000000000)


monotonic_ns = getattr(time, "monotonic_ns", _monotonic_ns)
