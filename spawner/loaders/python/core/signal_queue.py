"""Signals as bytes in a pipe (a self-pipe): the handler only writes, the loop that polls the pipe acts."""

from typing import Any, Iterable, List, Optional, Set

from .unpatched import _thread, os, select, signal

_NO_SIGNAL = 0


class SignalQueue:
    """Queues the given signals of this process until it is closed.

    The interpreter's own wake-up descriptor closes the gap between a signal and the poll that follows. The handler
    writes too, because an app may take the wake-up descriptor away (asyncio does).

    Invariant: `current` is the queue of this process that has not been closed; there is one at most.
    """

    current: "Optional[SignalQueue]" = None

    def __init__(self, signals: Iterable[int]) -> None:
        assert SignalQueue.current is None  # nosec B101  # our own caller
        self._signals = list(signals)
        self._masks = _thread._local()
        self._read_end, self._write_end = os.pipe()
        for end in (self._read_end, self._write_end):
            os.set_blocking(end, False)
        self._before = {number: signal.signal(number, self._enqueue) for number in self._signals}
        self._wake_up_on(self._write_end)
        SignalQueue.current = self

    def fileno(self) -> int:
        """Return the descriptor that is readable while signals are queued."""
        return self._read_end

    def descriptors(self) -> List[int]:
        """Return both ends of the pipe."""
        return [self._read_end, self._write_end]

    def read(self) -> Set[int]:
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
        """Make the queue readable, from any thread, without a signal."""
        self._enqueue(_NO_SIGNAL, None)

    def wait(self) -> None:
        """Wait until the queue is readable, and drop what is in it."""
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        poll.poll()
        self.read()

    def block(self) -> None:
        """Block the signals in this thread until `unblock`: a fork that is about to be made has this pipe, too."""
        self._masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)

    def unblock(self) -> None:
        """Let the signals come again, as before `block`."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.before)

    def close(self) -> None:
        """Restore the actions that the signals had, except of those that the app has taken for itself since."""
        SignalQueue.current = None
        ours = [number for number in self._signals if signal.getsignal(number) == self._enqueue]
        try:
            self._restore(ours)
        except ValueError:
            self._restore_below_python(ours)

    def _restore(self, signals: List[int]) -> None:
        """Raises ValueError where this thread may not: PyPy, in a fork that was not made by the main thread."""
        current = signal.set_wakeup_fd(-1)
        if current != self._write_end and current >= 0:
            self._wake_up_on(current)
        for number in signals:
            before = self._before[number]
            signal.signal(number, signal.SIG_DFL if before is None else before)  # None: none of Python's
        os.close(self._read_end)
        os.close(self._write_end)

    def _restore_below_python(self, signals: List[int]) -> None:
        """Set the default actions below the interpreter, which goes on writing the app's own signals: to /dev/null."""
        import ctypes

        libc = ctypes.CDLL(None)
        for number in signals:
            libc.signal(number, None)
        dev_null = os.open(os.devnull, os.O_RDWR)
        for end in (self._read_end, self._write_end):
            os.dup2(dev_null, end)
        os.close(dev_null)

    def _enqueue(self, number: int, frame: Any) -> None:
        try:
            os.write(self._write_end, bytes([number]))
        except OSError:
            pass  # full: the pipe is readable already; closed: nobody polls it

    @staticmethod
    def _wake_up_on(descriptor: int) -> None:
        try:
            signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
        except TypeError:  # Python 3.6
            signal.set_wakeup_fd(descriptor)
