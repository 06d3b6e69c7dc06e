"""Signals as bytes in a pipe: the handler only enqueues, the loop that polls the pipe acts."""

import _thread
import os
import select
import signal
from typing import Any, Iterable, List, Optional, Set

from . import originals

_NO_SIGNAL = 0


class SignalQueue:
    """Queues the given signals of this process until it is closed.

    The interpreter's own wake-up descriptor closes the gap between a signal and the poll that follows. The handler
    writes too, because an app may take the wake-up descriptor away (asyncio does).

    Invariant: `open` is the queue of this process that has not been closed; there is one at most.
    """

    open: "Optional[SignalQueue]" = None

    def __init__(self, signals: Iterable[int]) -> None:
        assert SignalQueue.open is None
        self._signals = list(signals)
        self._masks = _thread._local()
        self._read_end, self._write_end = os.pipe()
        for end in (self._read_end, self._write_end):
            os.set_blocking(end, False)
        self._before = {number: originals.set_signal(number, self._enqueue) for number in self._signals}
        self._wake_up_on(self._write_end)
        SignalQueue.open = self

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

    def hold(self) -> None:
        """Block the signals in this thread until `release`: a fork that is about to be made has this pipe, too."""
        self._masks.before = originals.set_signal_mask(signal.SIG_BLOCK, self._signals)

    def release(self) -> None:
        """Let the signals come again, as before `hold`."""
        originals.set_signal_mask(signal.SIG_SETMASK, self._masks.before)

    def close(self) -> None:
        """Give the signals back the actions that they had, but those that the app has taken for itself since."""
        SignalQueue.open = None
        ours = [number for number in self._signals if originals.get_signal(number) == self._enqueue]
        try:
            self._give_back(ours)
        except ValueError:
            self._give_back_below(ours)

    def _give_back(self, signals: List[int]) -> None:
        """Raises ValueError where this thread may not: PyPy, in a copy that was not made by the main thread."""
        current = originals.set_wakeup_fd(-1)
        if current != self._write_end and current >= 0:
            self._wake_up_on(current)
        for number in signals:
            before = self._before[number]
            originals.set_signal(number, signal.SIG_DFL if before is None else before)  # None: none of Python's
        os.close(self._read_end)
        os.close(self._write_end)

    def _give_back_below(self, signals: List[int]) -> None:
        """Default actions, set below the interpreter, which goes on writing of the app's own signals: to nowhere."""
        import ctypes

        libc = ctypes.CDLL(None)
        for number in signals:
            libc.signal(number, None)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for end in (self._read_end, self._write_end):
            os.dup2(nowhere, end)
        os.close(nowhere)

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
