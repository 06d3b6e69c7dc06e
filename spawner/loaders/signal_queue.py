"""Signals as bytes in a pipe: the handler only enqueues, the loop that polls the pipe acts."""

import os
import select
import signal
from typing import Any, Iterable, List, Set

from . import originals

_NO_SIGNAL = 0


class SignalQueue:
    """Queues the given signals of this process until it is closed.

    The interpreter's own wake-up descriptor closes the gap between a signal and the poll that follows. The handler
    writes too, because an app may take the wake-up descriptor away (asyncio does).
    """

    def __init__(self, signals: Iterable[int]) -> None:
        self._signals = list(signals)
        self._read_end, self._write_end = os.pipe()
        for end in (self._read_end, self._write_end):
            os.set_blocking(end, False)
        for number in self._signals:
            originals.set_signal(number, self._enqueue)
        self._wake_up_on(self._write_end)

    def fileno(self) -> int:
        """Return the descriptor that is readable while signals are queued."""
        return self._read_end

    def descriptors(self) -> List[int]:
        """Return both ends of the pipe."""
        return [self._read_end, self._write_end]

    def take(self) -> Set[int]:
        """Return the signals that have come since the last call."""
        received: Set[int] = set()
        try:
            while True:
                data = os.read(self._read_end, 512)
                received.update(data)
                if len(data) < 512:
                    break
        except BlockingIOError:
            pass
        return received

    def wake(self) -> None:
        """Make the queue readable, from any thread: whoever polls it looks around."""
        self._enqueue(_NO_SIGNAL, None)

    def wait(self) -> None:
        """Wait until the queue is readable, and take what is in it: for one who has heard what they say."""
        poll = originals.poll()
        poll.register(self._read_end, select.POLLIN)
        poll.poll()
        self.take()

    def close(self) -> None:
        """Give the signals back their default actions."""
        originals.set_wakeup_fd(-1)
        for number in self._signals:
            originals.set_signal(number, signal.SIG_DFL)
        os.close(self._read_end)
        os.close(self._write_end)

    def _enqueue(self, number: int, frame: Any) -> None:
        try:
            os.write(self._write_end, bytes([number]))
        except OSError:
            pass  # full: the loop has been told; closed: nobody listens

    @staticmethod
    def _wake_up_on(descriptor: int) -> None:
        try:
            originals.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
        except TypeError:  # Python 3.6
            originals.set_wakeup_fd(descriptor)
