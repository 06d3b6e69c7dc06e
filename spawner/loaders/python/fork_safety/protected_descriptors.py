"""Keeps an app that closes descriptors which it does not know from closing ours while it is loaded.

Libraries for daemons, and clean-up helpers, close all descriptors from 3 on. Apps that do so at their import are served
by Passenger; here they would close the control line and the socket of their group. To them ours are as closed ones are.
"""

import errno
import sys
from typing import Any, Callable, FrozenSet, Iterable

from ..core.unpatched import os


class ProtectedDescriptors:
    """`os.close` and `os.closerange` as the app sees them, from `install` to `remove`.

    What the app has taken of them meanwhile stays as it is, and protects nothing any more after `remove`. A child that
    the app forks closes what it likes: it has to let go of what is ours.
    """

    def __init__(self, descriptors: Iterable[int]) -> None:
        self._descriptors: FrozenSet[int] = frozenset(descriptors)
        self._pid = os.getpid()

    def install(self) -> None:
        """Replace the functions in the app's `os`."""
        app_os: Any = sys.modules["os"]
        app_os.close = self._close
        app_os.closerange = self._closerange

    def remove(self) -> None:
        """Put back what was there, unless the app has replaced it by something else."""
        app_os: Any = sys.modules["os"]
        self._descriptors = frozenset()
        _put_back(app_os, "close", self._close, os.close)
        _put_back(app_os, "closerange", self._closerange, os.closerange)

    def _close(self, fd: int) -> None:
        if fd in self._descriptors and os.getpid() == self._pid:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        os.close(fd)

    def _closerange(self, fd_low: int, fd_high: int) -> None:
        first = fd_low
        protected = self._descriptors if os.getpid() == self._pid else ()
        for kept in sorted(number for number in protected if fd_low <= number < fd_high):
            os.closerange(first, kept)
            first = kept + 1
        os.closerange(first, fd_high)


def _put_back(module: Any, name: str, ours: Callable[..., None], original: Callable[..., None]) -> None:
    if getattr(module, name, None) == ours:
        setattr(module, name, original)
