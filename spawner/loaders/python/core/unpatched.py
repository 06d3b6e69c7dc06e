"""The system's calls as this loader uses them, the same in every interpreter and whatever the app replaces.

They are taken before the app is loaded: an app may replace those of `os`, `socket` and `select` for itself (gevent and
eventlet do), and the loader's own processes and sockets must not follow. Some interpreters lack a name; the values are
Linux's.
"""

import _socket
import _thread as _thread
import fcntl as fcntl
import mmap as mmap
import os as os
import select as select
import signal as signal
import socket as socket
import time as time
from types import ModuleType
from typing import TYPE_CHECKING

Connection = _socket.socket  # without the layer in Python, which costs 1 us per connection

EPOLLEXCLUSIVE: int = getattr(select, "EPOLLEXCLUSIVE", 1 << 28)
EPOLLONESHOT: int = getattr(select, "EPOLLONESHOT", 1 << 30)
MSG_CMSG_CLOEXEC: int = getattr(socket, "MSG_CMSG_CLOEXEC", 0x40000000)  # PyPy
MSG_NOSIGNAL: int = getattr(socket, "MSG_NOSIGNAL", 0x4000)  # PyPy
O_ACCMODE = 3  # PyPy
SO_DOMAIN = 39  # CPython


def _monotonic_ns() -> int:
    """CLOCK_MONOTONIC in ns, for Python 3.6, which has no time.monotonic_ns."""
    return int(time.monotonic() * 1000000000)


def _copy_of(module: ModuleType) -> ModuleType:
    """Return a module with all that this one holds now."""
    copy = ModuleType(module.__name__)
    copy.__dict__.update(module.__dict__)
    return copy


monotonic_ns = getattr(time, "monotonic_ns", _monotonic_ns)

if not TYPE_CHECKING:  # a type checker sees the modules themselves
    _thread = _copy_of(_thread)
    fcntl = _copy_of(fcntl)
    mmap = _copy_of(mmap)
    os = _copy_of(os)
    select = _copy_of(select)
    signal = _copy_of(signal)
    socket = _copy_of(socket)
    time = _copy_of(time)
