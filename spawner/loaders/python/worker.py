"""A worker: takes connections from the group's socket, and from its own if it has one, until it is told to retire.

docs/protocol.md, sections 2, 5 and 6. An idle worker waits in one epoll for its sockets, its control line, the lifeline
and its own signals; the group's socket is watched exclusively, so that one connection wakes one worker.
"""

import atexit
import errno
import os
import signal
import socket
from typing import Iterable, List, NamedTuple, NoReturn, Optional, Tuple, Union

from ...shared import start_steps
from . import failure_report, originals, process_title, report, standard_streams
from .control_line import ControlLine, Message
from .doors import MOST_EVENTS, Doors
from .errors import LineClosed, LoadFailure, UnexpectedMessage
from .group import Group
from .one_by_one import OneByOne
from .out_of_band_work import OutOfBandWork, RequestForWork
from .scoreboard import SharedSlot, Slot
from .signal_queue import SignalQueue
from .threads import Threads

_RETIRING = frozenset((signal.SIGTERM, signal.SIGINT))
_NOT_TAKEN = frozenset((errno.EAGAIN, errno.ECONNABORTED, errno.EINTR))
_NO_LIMIT = 1 << 62  # requests

Server = Union[OneByOne, Threads]


class Place(NamedTuple):
    """Which of its group's workers one is. `listener`: the descriptor of its own socket, if it has one."""

    slot: int
    route: str
    listener: Optional[int]


class Worker:
    """The process from the fork (or from `serve`) to its end.

    Invariants: while `_unsettled`, something may have changed that decides what the worker waits for, and it takes
    nothing but what has woken it. `_retiring` and `_worn` stay when they are set.
    """

    def __init__(self, group: Group, line: ControlLine, place: Place) -> None:
        self._group = group
        self._line = line
        self._place = place
        self._signals = SignalQueue(_RETIRING)
        self._work = OutOfBandWork(self._signals.wake)
        self._reader = group.reader(place.route, RequestForWork(self._work.ask))
        self._doors = Doors(group.listener, place.listener, [line.fileno(), group.lifeline, self._signals.fileno()])
        self._unsettled = False
        self._retiring = False
        self._worn = False
        self._own_is_next = False

    def run(self, forked: bool) -> NoReturn:
        """Serve until told to retire, run the exit hooks, end the process: 0, or 1 when it could not serve."""
        status = 1
        try:
            group, number = self._group, self._place.slot
            process_title.show("worker", "worker of " + group.name)
            slot = group.shared_slot(number) if group.threads > 1 else group.slot(number)
            if self._prepare(forked):
                self._serve(slot)
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
            failure = LoadFailure(start_steps.AFTER_FORK, report.summary(error), traceback)
            failure.__cause__ = error
            pages = self._group.pages
            failure_report.tell(self._line, failure, pages.friendly, pages.files)
            return False
        return True

    # The way of a connection

    def _serve(self, slot: Slot) -> None:
        """Accept until told to retire and nothing is left to do."""
        server = self._new_server(slot)
        self._doors.watch(True, True)
        slot.ready()
        self._line.send("ready", [("slot", str(self._place.slot))])
        going = True
        while going:
            try:
                going = self._step(server, slot)
            except (SystemExit, KeyboardInterrupt):  # from a signal handler of the app's own
                self._retiring = True

    def _new_server(self, slot: Slot) -> Server:
        group, limit = self._group, self._group.max_requests or _NO_LIMIT
        application = group.app.application
        if isinstance(slot, SharedSlot):
            return Threads(
                group.threads, slot, self._reader, application, limit, self._signals.wake, self._doors.step_back
            )
        return OneByOne(slot, self._reader, application, limit)

    def _step(self, server: Server, slot: Slot) -> bool:
        """Do what is to be done until something has changed; False at the end."""
        self._unsettled = False
        self._tell_news(server)
        if self._retiring:
            return self._finish(server)
        if self._work.ordered:
            if not server.is_busy():
                self._do_work(slot)
                return True
            doors = False, False
        else:
            doors = self._open_doors(server)
        self._take_connections(server, *doors)
        return True

    def _open_doors(self, server: Server) -> Tuple[bool, bool]:
        """Return whether connections are taken from the group's socket, and from the worker's own."""
        if not server.has_room():
            return False, False
        return not (self._worn and self._group.stops_when_worn), True

    def _take_connections(self, server: Server, from_group: bool, from_own: bool) -> None:
        """Serve until something has changed.

        A connection that came while this worker was busy is left to others when it is to stop. One that woke it is
        taken even when an order came at the same time: the exclusive watch has told nobody else.
        """
        poll = self._doors.watch(from_group, from_own)
        listener = self._doors.group
        group = listener.fileno()
        while not self._unsettled:
            ready = poll(0, MOST_EVENTS)
            waited = bool(ready)
            if not waited:
                ready = poll(-1, MOST_EVENTS)
            if len(ready) == 1 and ready[0][0] == group:
                self._take(listener, server, waited)
            else:
                self._look_around([descriptor for descriptor, _ in ready], server, waited)

    def _look_around(self, ready: List[int], server: Server, waited: bool) -> None:
        """Hear the orders that have come, and take a connection from each socket at which one waits."""
        self._hear(ready)
        own = self._doors.own
        own_is_ready = own is not None and own.fileno() in ready
        if self._doors.group.fileno() in ready and not (waited and self._unsettled):
            if waited and own_is_ready and self._own_is_next:  # room for one only: in turn
                self._take_own(server, waited)
                own_is_ready = False
            if not (waited and self._unsettled):
                self._take(self._doors.group, server, waited)
                self._own_is_next = True
        if own_is_ready and not self._unsettled:
            self._take_own(server, waited)

    def _take_own(self, server: Server, waited: bool) -> bool:
        self._own_is_next = False
        return self._doors.own is not None and self._take(self._doors.own, server, waited)

    def _take(self, listener: socket.socket, server: Server, waited: bool) -> bool:
        """Serve one waiting connection; False: another worker has been quicker."""
        try:
            # accept() would look up the listener's family and type as enumerations each time, for 3 us.
            descriptor, _ = listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in _NOT_TAKEN:
                return False
            raise
        connection = originals.Connection(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
        if server.serve(connection, waited):
            self._unsettled = True
        return True

    # Orders

    def _hear(self, ready: List[int]) -> None:
        """Take in what the `ready` descriptors say: the end of the lifeline, signals, the spawner, its end."""
        if self._group.lifeline in ready:
            self._retiring = self._unsettled = True
        if self._signals.fileno() in ready:
            self._unsettled = True
            if self._signals.take() & _RETIRING:
                self._retiring = True
        if self._line.fileno() in ready:
            self._unsettled = True
            self._obey(self._line.receive())

    def _obey(self, message: Optional[Message]) -> None:
        if message is None or message.kind == "retire":
            self._retiring = True
        elif message.kind == "work":
            self._work.ordered = True
        elif message.kind == "serve":  # again, by a spawner whose predecessor was killed before it could note it
            for descriptor in message.descriptors:
                os.close(descriptor)
        else:
            raise UnexpectedMessage("a worker was told to {!r}".format(message.kind))

    def _tell_news(self, server: Server) -> None:
        """Tell the spawner what it does not know yet."""
        if not self._worn and server.taken >= server.limit:
            self._worn = True
            server.limit = _NO_LIMIT
            self._say("worn", [("requests", str(server.taken))])
        if self._work.take_news():
            self._say("work_wanted")

    def _say(self, kind: str, fields: Iterable[Tuple[str, str]] = ()) -> None:
        """Say it to a spawner that is still there; its end is an order to retire."""
        try:
            self._line.send(kind, fields)
        except LineClosed:
            self._retiring = True

    def _do_work(self, slot: Slot) -> None:
        slot.work()
        seconds = self._work.run(self._group.app, self._reader)
        slot.work_done()
        self._say("work_done", [("seconds", "{:.3f}".format(seconds))])

    # The end

    def _finish(self, server: Server) -> bool:
        """Take what waits at the worker's own socket, wait for an end of a request; False when nothing is left.

        The line and the lifeline may have ended, and are not listened to any more.
        """
        while self._doors.own is not None and server.has_room():
            if not self._take_own(server, True):
                self._doors.close_own()
        if self._doors.own is not None or server.is_busy():
            self._signals.wait()
            return True
        return False

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
