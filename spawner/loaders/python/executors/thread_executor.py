"""The executor of a worker with threads: several requests at once, each in a thread of its own.

The main thread accepts the connections, never more than it has idle threads, and gives each to one of them.
"""

from collections import deque
from typing import Any, Callable, Deque, Optional

from ..core.listeners import Listeners
from ..core.scoreboard_writer import AnyCell, SharedSlotWriter
from ..core.unpatched import Connection, _thread
from ..diagnostics import error_log
from ..wsgi import handler
from ..wsgi.request import RequestReader


class ThreadExecutor:
    """The threads of one worker.

    `limit`: when so many requests have started `execute` tells the worker to look at `started`.

    Invariants: a thread is in `_idle` or has a connection; only the main thread takes one out of `_idle`. The main
    thread sets `_wake_when_idle` before it looks at `_idle`, and a thread enters `_idle` before it looks at
    `_wake_when_idle`: the main thread misses no end of a request that it waits for.
    """

    def __init__(
        self,
        count: int,
        slot: SharedSlotWriter,
        reader: RequestReader,
        application: Callable[..., Any],
        limit: int,
        wake: Callable[[], None],
        listeners: Listeners,
        kept_end: bytes,
    ) -> None:
        """Start `count` threads. `wake`: interrupts the main thread's wait; `kept_end`: as in `handler.handle`.

        Raises RuntimeError when the system has no thread left.
        """
        self.limit = limit
        self._count = count
        self._slot = slot
        self._reader = reader
        self._application = application
        self._wake = wake
        self._listeners = listeners
        self._kept_end = kept_end
        self._wake_when_idle = False
        self._idle: Deque[_Thread] = deque()
        for number in reversed(range(count)):
            self._idle.append(_Thread(self, number, slot.cell_of(number)))

    @property
    def started(self) -> int:
        """How many requests have started."""
        return self._slot.started

    def execute(self, connection: Connection, was_queued: bool, may_keep: bool) -> bool:
        """Give `connection` to an idle thread; there has to be one. Otherwise as `SyncExecutor.execute`."""
        if len(self._idle) < self._count:  # this worker is in a request already; others may be in none
            self._listeners.prefer_other_workers()
        thread = self._idle.pop()  # the one that became idle last: its memory is still in the processor's caches
        self._slot.request_started()
        thread.give(connection, was_queued, may_keep)
        return not self._idle or self._slot.started >= self.limit

    def has_capacity(self) -> bool:
        """Whether a thread is idle. If none is, the main thread is woken when one is."""
        self._wake_when_idle = False
        if self._idle:
            return True
        self._wake_when_idle = True
        return bool(self._idle)

    def is_busy(self) -> bool:
        """Whether a request is being handled. If so, the main thread is woken at the end of each."""
        self._wake_when_idle = True
        return len(self._idle) < self._count

    def handle(self, connection: Connection, cell: AnyCell, was_queued: bool, may_keep: bool) -> bool:
        """Handle `connection` in one of the threads; close it unless it is kept. Returns whether the app was called."""
        outcome = handler.SERVED
        try:
            kept_end = self._kept_end if may_keep else b""
            outcome = handler.handle(connection, self._reader, self._application, cell, was_queued, kept_end)
        except BaseException as error:  # noqa: BLE001 - the thread goes on
            error_log.log_internal_error("internal error in a request", error)
        finally:
            cell.clear()
            if outcome & handler.KEPT:
                self._listeners.keep(connection)
            else:
                self._listeners.close(connection)
        return bool(outcome)

    def thread_idle(self, thread: "_Thread", served: bool) -> None:
        """A thread has handled its connection."""
        self._slot.request_finished(served)
        self._idle.append(thread)
        if self._wake_when_idle:
            self._wake()


class _Thread:
    """One thread, from the start of the worker to its end.

    It is the interpreter's own kind, whatever the app has made of `threading`: one that an app has turned into
    something cooperative would run within the main thread, which waits elsewhere.
    """

    def __init__(self, executor: ThreadExecutor, number: int, cell: AnyCell) -> None:
        self._executor = executor
        self._cell = cell
        self._number = number
        self._connection: Optional[Connection] = None
        self._was_queued = self._may_keep = False
        self._has_connection = _thread.allocate_lock()  # free while there is a connection to handle
        self._has_connection.acquire()
        _thread.start_new_thread(self._run, ())

    def give(self, connection: Connection, was_queued: bool, may_keep: bool) -> None:
        """Have it handle `connection`. Only when it is idle."""
        self._connection, self._was_queued, self._may_keep = connection, was_queued, may_keep
        self._has_connection.release()

    def _run(self) -> None:
        _set_thread_name("request-{}".format(self._number + 1))
        while True:
            self._has_connection.acquire()
            connection, self._connection = self._connection, None
            assert connection is not None  # nosec B101  # given
            served = self._executor.handle(connection, self._cell, self._was_queued, self._may_keep)
            del connection
            self._executor.thread_idle(self, served)


def _set_thread_name(name: str) -> None:
    """As logging's %(threadName)s and debuggers show it."""
    from threading import current_thread

    current_thread().name = name
