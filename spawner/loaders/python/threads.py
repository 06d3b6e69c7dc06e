"""How a worker with threads carries out requests: several at once, each in a thread of its own.

The main thread takes the connections and hands each to a thread that is free; what it takes is served at once.
"""

from collections import deque
from typing import Any, Callable, Deque, Optional

from . import originals, report, wsgi
from .originals import Connection
from .request import RequestReader
from .scoreboard import Cell, SharedSlot


class Threads:
    """The threads of one worker. `limit`: when so many requests have been taken the worker is to be told.

    Invariants: a thread is in `_free` or has a connection; only the main thread takes one out. Whoever sets
    `_announcing` looks at `_free` afterwards, and a thread enters `_free` before it looks at `_announcing`: no end of
    a request that the main thread waits for is missed.
    """

    def __init__(
        self,
        count: int,
        slot: SharedSlot,
        reader: RequestReader,
        application: Callable[..., Any],
        limit: int,
        wake: Callable[[], None],
        step_back: Callable[[], None],
    ) -> None:
        """Start `count` threads. `wake`: makes the main thread look around, if it has been waiting for an end.

        `step_back`: has the next connection wake another worker, if one is idle.
        Raises RuntimeError when the system has no thread left.
        """
        self.limit = limit
        self._count = count
        self._slot = slot
        self._reader = reader
        self._application = application
        self._wake = wake
        self._step_back = step_back
        self._announcing = False
        self._free: Deque[_Thread] = deque()
        for number in reversed(range(count)):
            self._free.append(_Thread(self, number, slot.cell_of(number)))

    @property
    def taken(self) -> int:
        """How many requests the worker has taken."""
        return self._slot.taken

    def serve(self, connection: Connection, waited: bool) -> bool:
        """Hand `connection` to a free thread; there has to be one. As `OneByOne.serve`."""
        if len(self._free) < self._count:  # others may have nothing to do
            self._step_back()
        thread = self._free.pop()  # the one that became free last: what it used is still at hand
        self._slot.begin()
        thread.give(connection, waited)
        return not self._free or self._slot.taken >= self.limit

    def has_room(self) -> bool:
        """Whether a thread is free. If not, the main thread is woken when one is."""
        self._announcing = False
        if self._free:
            return True
        self._announcing = True
        return bool(self._free)

    def is_busy(self) -> bool:
        """Whether a request is being served. If so, the main thread is woken at the end of each."""
        self._announcing = True
        return len(self._free) < self._count

    def carry_out(self, connection: Connection, cell: Cell, waited: bool) -> bool:
        """Serve and close `connection`, in one of the threads. Returns whether the app was called."""
        try:
            return wsgi.serve(connection, self._reader, self._application, cell, waited)
        except BaseException as error:  # noqa: BLE001 - the thread serves on
            report.log_bug("a request ended its thread", error)
            return True
        finally:
            connection.close()
            cell.leave()

    def set_free(self, thread: "_Thread", served: bool) -> None:
        """A thread has served its connection."""
        self._slot.end(served)
        self._free.append(thread)
        if self._announcing:
            self._wake()


class _Thread:
    """One thread, from the start of the worker to its end.

    It is the interpreter's own kind, whatever the app has made of `threading`: one that an app has turned into
    something cooperative would run within the main thread, which waits elsewhere.
    """

    def __init__(self, threads: Threads, number: int, cell: Cell) -> None:
        self._threads = threads
        self._cell = cell
        self._number = number
        self._connection: Optional[Connection] = None
        self._waited = False
        self._gate = originals.allocate_lock()  # open while there is a connection to serve
        self._gate.acquire()
        originals.start_new_thread(self._run, ())

    def give(self, connection: Connection, waited: bool) -> None:
        """Have it serve `connection`. Only when it is free."""
        self._connection, self._waited = connection, waited
        self._gate.release()

    def _run(self) -> None:
        _name_thread("request-{}".format(self._number + 1))
        while True:
            self._gate.acquire()
            connection, self._connection = self._connection, None
            assert connection is not None  # given
            served = self._threads.carry_out(connection, self._cell, self._waited)
            del connection
            self._threads.set_free(self, served)


def _name_thread(name: str) -> None:
    """As logging's %(threadName)s and debuggers show it."""
    from threading import current_thread

    current_thread().name = name
