"""A worker: takes one connection after the other from the group's socket until it is told to retire.

docs/protocol.md, sections 2, 5 and 6. An idle worker waits in one epoll for the listener, its control line, the
lifeline and its own signals; the listener is watched exclusively, so that one connection wakes one worker.
"""

import atexit
import errno
import select
import signal
import socket
from typing import List, NoReturn

from . import failure_report, originals, report, standard_streams, steps, wsgi
from .app import App
from .control_line import ControlLine
from .errors import LineClosed, LoadFailure, UnexpectedMessage
from .random_state import RandomState
from .request import RequestReader
from .request_failure import FailurePages
from .scoreboard import Scoreboard, Slot
from .signal_queue import SignalQueue

_WATCHED = 4  # descriptors: listener, control line, lifeline, signals
_EXCLUSIVE = getattr(select, "EPOLLEXCLUSIVE", 1 << 28)
_RETIRING = frozenset((signal.SIGTERM, signal.SIGINT))
_NOT_TAKEN = frozenset((errno.EAGAIN, errno.ECONNABORTED, errno.EINTR))


class Group:
    """What all workers of a group share, as `load` told it. Owns its descriptors as long as the process lives."""

    def __init__(
        self,
        app: App,
        listener: int,
        scoreboard: Scoreboard,
        lifeline: int,
        token: str,
        multiprocess: bool,
        server_software: str,
        pages: FailurePages,
    ) -> None:
        self.app = app
        self.lifeline = lifeline
        self.listener = originals.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, listener)
        self.listener.setblocking(False)
        self.scoreboard = scoreboard
        self.pages = pages
        self.random_state = RandomState()
        self.reader = RequestReader(token, multiprocess, server_software, pages)


class Worker:
    """The process from the fork (or from `serve`) to its end."""

    def __init__(self, group: Group, line: ControlLine, slot: int) -> None:
        self._group = group
        self._line = line
        self._slot_number = slot

    def run(self, forked: bool) -> NoReturn:
        """Serve until told to retire, run the exit hooks, end the process: 0, or 1 when it could not serve."""
        status = 1
        try:
            signals = SignalQueue(_RETIRING)
            slot = self._group.scoreboard.slot(self._slot_number)
            if self._prepare(forked):
                poller = self._watch(signals)
                slot.ready()
                self._line.send("ready", [("slot", str(self._slot_number))])
                self._serve(poller, signals, slot)
                poller.close()
                status = 0
            slot.free()
        except (LineClosed, SystemExit, KeyboardInterrupt):  # the latter two: from a signal handler of the app's own
            status = 0
        except BaseException as error:  # noqa: BLE001 - nothing may run on behind the fork
            report.log_bug("the worker ends", error)
        finally:
            self._run_exit_hooks()
            end_process(status)

    def _prepare(self, forked: bool) -> bool:
        """Make a copy of the preloader a process of its own; False when the app cannot."""
        if forked:
            self._group.random_state.reseed()
        try:
            self._group.app.after_fork()
        except BaseException as error:  # noqa: BLE001 - the app's own code, which may raise anything
            traceback = report.app_traceback(error)
            report.log("jumpseat: after_fork() failed\n" + traceback)
            failure = LoadFailure(steps.AFTER_FORK, report.summary(error), traceback)
            failure.__cause__ = error
            pages = self._group.pages
            self._line.send("failed", failure_report.fields(failure, pages.friendly, pages.files))
            return False
        return True

    def _watch(self, signals: SignalQueue) -> select.epoll:
        """Return an epoll on all that an idle worker waits for."""
        poller = originals.Epoll()
        try:
            poller.register(self._group.listener.fileno(), select.EPOLLIN | _EXCLUSIVE)
        except OSError as error:
            if error.errno != errno.EINVAL:  # Linux before 4.5: every worker is woken, one gets the connection
                raise
            poller.register(self._group.listener.fileno(), select.EPOLLIN)
        for descriptor in (self._line.fileno(), self._group.lifeline, signals.fileno()):
            poller.register(descriptor, select.EPOLLIN)
        return poller

    def _serve(self, poller: select.epoll, signals: SignalQueue, slot: Slot) -> None:
        """Take connections until told to retire.

        A connection that came while this worker was busy is left to others when it is told to retire. One that woke
        it is taken even when the order to retire came at the same time: the exclusive watch has told nobody else.
        """
        listener = self._group.listener.fileno()
        poll = poller.poll
        while True:
            ready = poll(0, _WATCHED)
            woken = not ready
            if woken:
                ready = poll(-1, _WATCHED)
            if len(ready) == 1 and ready[0][0] == listener:
                self._take(slot)
                continue
            descriptors = [descriptor for descriptor, _ in ready]
            retiring = self._told_to_retire(descriptors, signals)
            if listener in descriptors and (woken or not retiring):
                self._take(slot)
            if retiring:
                return

    def _take(self, slot: Slot) -> None:
        """Serve one waiting connection, if another worker has not been quicker."""
        try:
            # accept() would look up the listener's family and type as enumerations each time, for 3 us.
            descriptor, _ = self._group.listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in _NOT_TAKEN:
                return
            raise
        connection = originals.Connection(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
        slot.begin()
        try:
            served = wsgi.serve(connection, self._group.reader, self._group.app.application, slot.cell)
        finally:
            connection.close()
        slot.end(served)

    def _told_to_retire(self, ready: List[int], signals: SignalQueue) -> bool:
        """Whether one of the `ready` descriptors says so: the end of the lifeline, a signal, the spawner, its end."""
        if self._group.lifeline in ready:
            return True
        if signals.fileno() in ready and signals.take() & _RETIRING:
            return True
        if self._line.fileno() not in ready:
            return False
        message = self._line.receive()
        if message is not None and message.kind != "retire":
            raise UnexpectedMessage("a worker was told to {!r}".format(message.kind))
        return True

    def _run_exit_hooks(self) -> None:
        for hook in (self._group.app.before_exit, atexit._run_exitfuncs):
            try:
                hook()
            except BaseException as error:  # noqa: BLE001 - the app's own code, which may raise anything
                report.log_failure("an exit hook failed", error)


def end_process(status: int) -> NoReturn:
    """End at once with `status`. Without Python's own end: it would write to, and so unshare, every page."""
    standard_streams.flush()
    originals.end_process(status)
