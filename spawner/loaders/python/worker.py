"""A worker: accepts on the group's socket, and on its own if it has one, until it is told to retire.

docs/protocol.md, sections 2, 5 and 6. An idle worker waits in one epoll for its sockets, its control line, the lifeline
and its own signals; the group's socket is watched exclusively, so that one connection wakes one worker.
"""

import atexit
import errno
from typing import Iterable, List, NamedTuple, NoReturn, Optional, Tuple, Union

from ...shared import start_steps
from .core import unpatched
from .core.control_line import ControlLine, ControlMessage
from .core.listeners import MOST_EVENTS, Listeners
from .core.loader_errors import LineClosed, LoadFailure, UnexpectedMessage
from .core.scoreboard_writer import SharedSlotWriter, SlotWriter
from .core.signal_queue import SignalQueue
from .core.unpatched import os, signal, socket
from .diagnostics import error_log, failed_message, process_inspection
from .executors.out_of_band_executor import OutOfBandExecutor, RequestOutOfBandWork
from .executors.sync_executor import SyncExecutor
from .executors.thread_executor import ThreadExecutor
from .worker_context import WorkerContext
from .wsgi import tolerated
from .wsgi.response import kept_end

_RETIRE_SIGNALS = frozenset((signal.SIGTERM, signal.SIGINT))
_NOT_ACCEPTED = frozenset((errno.EAGAIN, errno.ECONNABORTED, errno.EINTR))
_NO_LIMIT = 1 << 62  # requests
# What a process of this loader can do (docs/protocol.md, section 5).
CAPABILITIES = ("acknowledge", "body-file", "expect", "framed-body", "frames", "keep-alive", "tail", "token")

Executor = Union[SyncExecutor, ThreadExecutor]


class WorkerSlot(NamedTuple):
    """Which worker of its group this is. `listener`: the descriptor of its own socket, if it has one."""

    number: int
    route: str
    listener: Optional[int]


class Worker:
    """The process from the fork (a direct process: from the end of the import) to its end.

    Invariants: while `_state_changed`, what the worker has to wait for may be another, and it accepts nothing but what
    has woken it. `_retiring` and `_limit_reached` stay when they are set.
    """

    def __init__(self, context: WorkerContext, line: ControlLine, slot: WorkerSlot) -> None:
        self._context = context
        self._line = line
        self._slot = slot
        self._signals = SignalQueue(_RETIRE_SIGNALS)
        self._out_of_band = OutOfBandExecutor(self._signals.wake)
        self._reader = context.request_reader(slot.route, RequestOutOfBandWork(self._out_of_band.request))
        control = [line.fileno(), context.lifeline, self._signals.fileno()]
        self._listeners = Listeners(context.listener, slot.listener, control, context.threads)
        tolerated.set_waker(self._signals.wake)
        self._state_changed = False
        self._retiring = False
        self._limit_reached = False
        self._own_socket_is_next = False

    def run(self, forked: bool) -> NoReturn:
        """Serve until told to retire, run the exit hooks, end the process: 0, or 1 when it could not serve."""
        status = 1
        try:
            context, number = self._context, self._slot.number
            process_inspection.set_title("worker", "worker of " + context.group_name)
            slot_writer = context.shared_slot(number) if context.threads > 1 else context.slot(number)
            if self._prepare(forked):
                self._serve(slot_writer)
                status = 0
            slot_writer.worker_ended()
        except (LineClosed, SystemExit, KeyboardInterrupt):  # the latter two: from a signal handler of the app's own
            status = 0
        except BaseException as error:  # noqa: BLE001 - nothing may run on behind the fork
            error_log.log_internal_error("internal error, the worker ends", error)
        finally:
            self._run_exit_hooks()
            end_process(status)

    def _prepare(self, forked: bool) -> bool:
        """Make a copy of the preloader a process of its own; False when the app cannot."""
        if forked:
            self._context.random_state.reseed()
        try:
            self._context.app.after_fork()
        except BaseException as error:  # noqa: BLE001 - the app's own code, which may raise anything
            traceback = error_log.app_traceback(error)
            error_log.log("jumpseat: after_fork() failed\n" + traceback)
            failure = LoadFailure(start_steps.AFTER_FORK, error_log.summary(error), traceback)
            failure.__cause__ = error
            responses = self._context.error_responses
            failed_message.send(self._line, failure, responses.friendly, responses.files)
            return False
        return True

    # Accepting

    def _serve(self, slot_writer: SlotWriter) -> None:
        """Accept until told to retire and nothing is left to do."""
        import_check = self._context.import_check  # before there are threads of ours
        warnings = [("warning", text) for text in import_check.of_worker()] if import_check is not None else []
        executor = self._new_executor(slot_writer)
        self._listeners.poller(True, True)  # so that connections wake this worker from now on
        slot_writer.worker_ready()
        route = [("route", self._slot.route)] if self._slot.route else []
        capabilities = [("capabilities", " ".join(CAPABILITIES))]
        self._line.send("ready", [("slot", str(self._slot.number)), *route, *capabilities, *warnings])
        serving = True
        while serving:
            try:
                serving = self._step(executor, slot_writer)
            except (SystemExit, KeyboardInterrupt):  # from a signal handler of the app's own
                self._retiring = True

    def _new_executor(self, slot_writer: SlotWriter) -> Executor:
        context, limit = self._context, self._context.max_requests or _NO_LIMIT
        application = context.app.application
        end = kept_end(self._slot.number)
        if isinstance(slot_writer, SharedSlotWriter):
            return ThreadExecutor(
                context.threads,
                slot_writer,
                self._reader,
                application,
                limit,
                self._signals.wake,
                self._listeners,
                end,
            )
        return SyncExecutor(slot_writer, self._reader, application, limit, self._listeners, end)

    def _step(self, executor: Executor, slot_writer: SlotWriter) -> bool:
        """Do what the present state asks for, until it changes; False at the end."""
        self._state_changed = False
        self._report(executor)
        if self._retiring:
            return self._finish(executor)
        if self._out_of_band.granted:
            if not executor.is_busy():
                self._run_out_of_band_work(slot_writer)
                return True
            watched = False, False
        else:
            watched = self._watched_sockets(executor)
        self._accept_connections(executor, *watched)
        return True

    def _watched_sockets(self, executor: Executor) -> Tuple[bool, bool]:
        """Return whether connections are accepted from the group's socket, and from the worker's own."""
        if not executor.has_capacity():
            return False, False
        return not (self._limit_reached and self._context.stop_at_max_requests), True

    def _accept_connections(self, executor: Executor, from_group: bool, from_own: bool) -> None:
        """Accept and execute until the state changes.

        A connection that came while this worker was busy is left to others when this one is to stop. A connection that
        woke it is accepted even if a message came at the same time: the exclusive watch has woken nobody else.
        """
        poll = self._listeners.poller(from_group, from_own)
        listener = self._listeners.group
        group = listener.fileno()
        while not self._state_changed:
            ready = poll(0, MOST_EVENTS)
            was_queued = bool(ready)
            if not was_queued:
                ready = poll(-1, MOST_EVENTS)
            if len(ready) == 1 and ready[0][0] == group:
                self._accept(listener, executor, was_queued)
            else:
                self._handle_ready(ready, executor, was_queued)

    def _handle_ready(self, events: List[Tuple[int, int]], executor: Executor, was_queued: bool) -> None:
        """Read what has come on the control descriptors, and take from each socket that has a connection or request."""
        ready = [descriptor for descriptor, _ in events]
        self._read_control(ready)
        own = self._listeners.own
        own_is_ready = own is not None and own.fileno() in ready
        group_is_ready = self._listeners.group.fileno() in ready
        if group_is_ready and not (was_queued and self._state_changed):
            if was_queued and own_is_ready and self._own_socket_is_next:  # there may be capacity for one: in turn
                self._accept_own(executor, was_queued)
                own_is_ready = False
            if not (was_queued and self._state_changed):
                group_is_ready = self._accept(self._listeners.group, executor, was_queued)
                self._own_socket_is_next = True
        if own_is_ready and not self._state_changed:
            self._accept_own(executor, was_queued)
        self._serve_kept(events, executor, group_is_ready)

    def _serve_kept(self, events: List[Tuple[int, int]], executor: Executor, group_is_ready: bool) -> None:
        """Serve the requests on kept connections, in turn with new connections while there are any."""
        for descriptor, happened in events:
            if self._state_changed:
                self._listeners.watch_again(descriptor)
                continue
            connection = self._listeners.take_kept(descriptor, happened)
            if connection is None:
                continue
            self._execute(connection, executor, False)
            if group_is_ready and not self._state_changed:
                group_is_ready = self._accept(self._listeners.group, executor, True)

    def _accept_own(self, executor: Executor, was_queued: bool) -> bool:
        self._own_socket_is_next = False
        return self._listeners.own is not None and self._accept(self._listeners.own, executor, was_queued)

    def _accept(self, listener: socket.socket, executor: Executor, was_queued: bool) -> bool:
        """Accept and execute one connection; False: another worker has been quicker."""
        try:
            # accept() would look up the listener's family and type as enumerations each time, for 3 us.
            descriptor, _ = listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in _NOT_ACCEPTED:
                return False
            raise
        connection = unpatched.Connection(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
        self._execute(connection, executor, was_queued)
        return True

    def _execute(self, connection: unpatched.Connection, executor: Executor, was_queued: bool) -> None:
        may_keep = not self._limit_reached and self._listeners.can_keep()
        if executor.execute(connection, was_queued, may_keep):
            self._state_changed = True

    # The control line

    def _read_control(self, ready: List[int]) -> None:
        """Read the `ready` ones of lifeline, signals and control line."""
        if self._context.lifeline in ready:
            self._retiring = self._state_changed = True
        if self._signals.fileno() in ready:
            self._state_changed = True
            if self._signals.read() & _RETIRE_SIGNALS:
                self._retiring = True
        if self._line.fileno() in ready:
            self._state_changed = True
            self._handle_message(self._line.receive())

    def _handle_message(self, message: Optional[ControlMessage]) -> None:
        if message is None or message.kind == "retire":
            self._retiring = True
        elif message.kind == "work_granted":
            self._out_of_band.granted = True
        elif message.kind == "load":  # again, by a spawner whose predecessor was killed before it could note it
            message.close()
        else:
            raise UnexpectedMessage("a worker got the message {!r}".format(message.kind))

    def _report(self, executor: Executor) -> None:
        """Tell the spawner what has happened since the last report."""
        if not self._limit_reached and executor.started >= executor.limit:
            self._limit_reached = True
            self._listeners.close_kept()
            executor.limit = _NO_LIMIT
            self._send("max_requests_reached", [("requests", str(executor.started))])
        if self._out_of_band.take_unreported():
            self._send("work_requested")
        for text in tolerated.take_warnings():
            self._send("warning", [("text", text)])

    def _send(self, kind: str, fields: Iterable[Tuple[str, str]] = ()) -> None:
        """Send it if the spawner is still there; its end means to retire."""
        try:
            self._line.send(kind, fields)
        except LineClosed:
            self._retiring = True

    def _run_out_of_band_work(self, slot_writer: SlotWriter) -> None:
        slot_writer.out_of_band_work_started()
        seconds = self._out_of_band.run(self._context.app, self._reader)
        slot_writer.out_of_band_work_finished()
        self._send("work_done", [("seconds", "{:.3f}".format(seconds))])

    # The end

    def _finish(self, executor: Executor) -> bool:
        """Accept what waits at the worker's own socket, wait for an end of a request; False when nothing is left.

        The line and the lifeline may have ended, and are not watched any more.
        """
        self._listeners.close_kept()
        while self._listeners.own is not None and executor.has_capacity():
            if not self._accept_own(executor, True):
                self._listeners.close_own()
        if self._listeners.own is not None or executor.is_busy():
            self._signals.wait()
            return True
        return False

    def _run_exit_hooks(self) -> None:
        for hook in (self._context.app.before_exit, atexit._run_exitfuncs):
            try:
                hook()
            except BaseException as error:  # noqa: BLE001 - the app's own code, which may raise anything
                error_log.log_app_error("an exit hook failed", error)


def end_process(status: int) -> NoReturn:
    """End at once with `status`. Without Python's own end: it would write to, and so unshare, every page."""
    error_log.flush_streams()
    os._exit(status)
