"""A worker that was forked for a start that is wanted no more."""

from __future__ import annotations

import asyncio
import signal

from spawner.system import linux


class Orphan:
    """Lets it go by itself, and ends it if it has not gone after a while.

    Its line has ended, which tells it to go, and it may have taken a request before: that it finishes. One that hangs
    inside its fork hears nothing.

    :param pidfd: owned from now on.
    :param seconds: that it has.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, pid: int, pidfd: int, seconds: float) -> None:
        self._loop = loop
        self._pid = pid
        self._pidfd = pidfd
        self._timer = loop.call_later(seconds, self._kill)
        loop.add_reader(pidfd, self._ended)

    def _kill(self) -> None:
        linux.signal_process(self._pid, self._pidfd, signal.SIGKILL)

    def _ended(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._pidfd)
        linux.close_descriptor(self._pidfd)
