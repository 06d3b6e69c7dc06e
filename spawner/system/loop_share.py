"""A share of the time of the loop's thread, for what one app can send without end: other apps do not wait for it."""

from __future__ import annotations

import asyncio
from typing import Callable, Optional

_SHARE = 0.1
_BURST = 0.25  # seconds


class LoopShare:
    """A token bucket of seconds. Pure.

    :param now: seconds of the loop's clock.
    """

    def __init__(self, now: float) -> None:
        self._used = 0.0  # seconds, less the share of the time since
        self._used_at = now

    def use(self, began: float, now: float) -> float:
        """Count a turn.

        :param began: when the turn began, on the loop's clock.
        :param now: when it has ended.
        :returns: for how many seconds nothing more may be read; 0 while there is time left.
        """
        self._used = max(0.0, self._used - (began - self._used_at) * _SHARE) + now - began
        self._used_at = now
        return max(0.0, self._used - _BURST) / _SHARE


class LimitedReader:
    """Calls `read` when a descriptor is readable, as long as its share of the loop's time lasts.

    The sender waits meanwhile: its writes block, or say that the line is full.

    :param descriptor: stays the caller's, who calls `stop` before it closes it.
    :param read: reads a bounded amount.
    :param share: may be one for several readers.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, descriptor: int, read: Callable[[], None], share: LoopShare
    ) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._read = read
        self._share = share
        self._pause: Optional[asyncio.TimerHandle] = None
        self._stopped = False
        loop.add_reader(descriptor, self._readable)

    def stop(self) -> None:
        """Read nothing any more; once more is no error."""
        if self._stopped:
            return
        self._stopped = True
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._descriptor)

    def _readable(self) -> None:
        began = self._loop.time()
        self._read()
        pause = self._share.use(began, self._loop.time())
        if pause and not self._stopped:
            self._loop.remove_reader(self._descriptor)
            self._pause = self._loop.call_later(pause, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._descriptor, self._readable)
