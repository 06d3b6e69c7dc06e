"""The preloader: loads the app once, then forks a worker of it on each command (docs/protocol.md, section 5).

Single-threaded, blocking, one `poll` over its control line, the lifeline and its own signals. A direct process, whose
`load` names a slot, becomes a worker itself when the app has loaded.
"""

import gc
import sys
from typing import List, NoReturn, Optional, Set, Tuple

from ...shared import wire
from ...shared.app_files import AppFiles
from .core.control_line import ControlLine, ControlMessage
from .core.loader_errors import LineClosed, LoadFailure, UnexpectedMessage
from .core.signal_queue import SignalQueue
from .core.unpatched import os, select, signal, time
from .diagnostics import error_log, failed_message, process_inspection
from .fork_safety import fork
from .fork_safety.import_check import ImportCheck, new_tracer
from .fork_safety.protected_descriptors import ProtectedDescriptors
from .worker import Worker, WorkerSlot, end_process
from .worker_context import WorkerContext
from .wsgi.app import load_app


def run(descriptor: int) -> NoReturn:
    """Serve the control line `descriptor` until it ends. The process ends with it: 0, or 1 when the app cannot load."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    error_log.make_streams_line_buffered()
    status = 1
    try:
        # In a variable to the end: else its sockets would warn that nobody has closed them.
        preloader = Preloader(ControlLine(descriptor))
        preloader.run()
        status = 0
    except LineClosed:
        status = 0
    except LoadFailure:
        pass  # told to the spawner
    except (wire.WireError, UnexpectedMessage, OSError) as error:
        error_log.log("jumpseat: error on the control line, the process ends: {}".format(error))
    except BaseException as error:  # noqa: BLE001 - the process ends here, and says why
        error_log.log_internal_error("internal error, the preloader ends", error)
    finally:
        error_log.flush_streams()
        os._exit(status)


class Preloader:
    """The process that holds the loaded app.

    Invariants: `_context` is set once the app has loaded, and nothing is forked before; `_workers` has the pids of the
    children that we forked and have not reaped.
    """

    def __init__(self, line: ControlLine) -> None:
        self._line = line
        self._context: Optional[WorkerContext] = None
        self._workers: Set[int] = set()
        self._signals: Optional[SignalQueue] = None
        self._frozen = False

    def run(self) -> None:
        """Say hello, load the app, then follow the spawner's messages until `retire`.

        Raises LineClosed, LoadFailure, UnexpectedMessage, wire.WireError.
        """
        self._line.send("hello", hello())
        load = self._line.receive()
        if load is None or load.kind == "retire":
            return
        listener, scoreboard, lifeline, *own = _expect(load, "load", 3 + _has_own_socket(load))
        self._load(load, listener, scoreboard, lifeline)
        if load.get("slot"):
            self._serve(_worker_slot(load, own))
            return
        while self._step():
            pass

    def _load(self, message: ControlMessage, listener: int, scoreboard: int, lifeline: int) -> None:
        """Load the app.

        An app that execs another interpreter meanwhile says hello there, and is sent the message again. For that the
        line stays inheritable, as the spawner passed it, until the app has loaded.
        """
        process_inspection.set_title("loader", "loading " + message.get("group"))
        if message.get("backtrace_signal"):
            process_inspection.write_stacks_on(int(message.get("backtrace_signal")))
        gc.disable()  # until a worker runs: a collection would write to, and so unshare, the pages of what it visits
        files = AppFiles(message.get("app_root"))
        tracer = new_tracer(files)
        protected = ProtectedDescriptors([self._line.fileno(), *message.descriptors])
        started = time.monotonic()
        fork.watch_forks()
        try:
            protected.install()
            tracer.start()
            app = load_app(message.get("app_root"), message.get("startup_file"))
        except LoadFailure as failure:
            if fork.forked_by_app:
                fork.end_forked_process(failure.__cause__)
            self._send_failure(failure, files, message.get("friendly") == "1")
            raise
        finally:
            tracer.stop()
            protected.remove()
        if fork.forked_by_app:
            fork.end_forked_process(None)
        seconds = time.monotonic() - started
        os.set_inheritable(self._line.fileno(), False)
        self._signals = SignalQueue([signal.SIGCHLD, signal.SIGTERM])
        self._context = WorkerContext(app, files, message, listener, scoreboard, lifeline)
        process_inspection.set_title("loader", "preloader of " + self._context.group_name)
        ours = {self._line.fileno(), lifeline, *message.descriptors, *self._signals.descriptors()}
        if not message.get("slot"):  # a direct process shares nothing with another one
            self._context.import_check = ImportCheck(tracer, sorted(ours), files)
        self._line.send("loaded", [("seconds", "{:.3f}".format(seconds))])

    def _send_failure(self, failure: LoadFailure, files: AppFiles, friendly: bool) -> None:
        error_log.flush_streams()
        failed_message.send(self._line, failure, friendly, files)

    def _step(self) -> bool:
        """Wait for whatever comes and deal with it; False when the preloader is to end."""
        assert self._context is not None  # nosec B101  # loaded
        assert self._signals is not None  # nosec B101  # as above
        poll = select.poll()
        for descriptor in (self._line.fileno(), self._context.lifeline, self._signals.fileno()):
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if self._signals.fileno() in ready:
            received = self._signals.read()
            if signal.SIGTERM in received:
                return False
            self._reap()
        if self._context.lifeline in ready:
            return False
        return self._line.fileno() not in ready or self._handle_message(self._line.receive())

    def _handle_message(self, message: Optional[ControlMessage]) -> bool:
        if message is None or message.kind == "retire":
            return False
        if message.kind == "fork":
            line, output, *own = _expect(message, "fork", 2 + _has_own_socket(message))
            self._fork_worker(_worker_slot(message, own), line, output)
        elif message.kind == "load":
            message.close()  # a spawner was killed when it had sent one: the next one has sent it again
        else:
            raise UnexpectedMessage("a preloader whose app is loaded got the message {!r}".format(message.kind))
        return True

    def _fork_worker(self, slot: WorkerSlot, line: int, output: int) -> None:
        """Fork, and name the child at once: hooks that run inside fork() may keep it from ever saying hello."""
        assert self._context is not None  # nosec B101  # loaded
        if self._context.import_check is not None:
            self._context.import_check.before_fork()
        self._freeze()
        error_log.flush_streams()
        try:
            pid = fork.fork_worker()
        except OSError as error:
            self._line.send("fork_failed", [("slot", str(slot.number)), ("summary", "fork: {}".format(error.strerror))])
        else:
            if pid == 0:
                self._become_forked_worker(slot, line, output)
            self._workers.add(pid)
            self._line.send("forked", [("slot", str(slot.number)), ("pid", str(pid))])
        finally:
            for descriptor in (line, output, slot.listener):
                if descriptor is not None:
                    os.close(descriptor)

    def _freeze(self) -> None:
        """Put all that is loaded where no collection visits it. Without a collection before: it would make holes."""
        if not self._frozen and hasattr(gc, "freeze"):
            gc.freeze()
        self._frozen = True

    def _become_forked_worker(self, slot: WorkerSlot, line: int, output: int) -> NoReturn:
        try:
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            self._line.close()
            worker_line = ControlLine(line)
            worker_line.send("hello", hello())
            self._work(worker_line, slot, forked=True)
        except LineClosed:
            pass
        except BaseException as error:  # noqa: BLE001 - nothing may run on behind the fork
            error_log.log_internal_error("internal error, the worker does not start", error)
        finally:
            end_process(1)

    def _serve(self, slot: WorkerSlot) -> None:
        """Become a worker; return if a signal has told the process to end. The worker gets the signals that follow."""
        assert self._signals is not None  # nosec B101  # loaded
        self._freeze()
        self._signals.block()
        if signal.SIGTERM not in self._signals.read():
            self._signals.close()
            self._work(self._line, slot, forked=False)

    def _work(self, line: ControlLine, slot: WorkerSlot, forked: bool) -> NoReturn:
        """Be a worker until the end of the process."""
        assert self._context is not None  # nosec B101  # loaded
        fork.process_is_ours()
        gc.enable()
        worker = Worker(self._context, line, slot)
        if not forked:
            assert self._signals is not None  # nosec B101  # loaded
            self._signals.unblock()
        worker.run(forked)

    def _reap(self) -> None:
        """Report the workers that have ended. Only ours: the app's own children are the app's to wait for."""
        for pid in sorted(self._workers):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended, status = pid, 0  # somebody else, in the app, has waited for it
            if ended:
                self._workers.discard(pid)
                self._line.send("exited", [("pid", str(pid)), ("status", str(status))])


def hello() -> List[Tuple[str, str]]:
    """Return the fields of a `hello`."""
    runtime = "Python {}.{}.{}".format(*sys.version_info[:3])
    if sys.implementation.name != "cpython":
        runtime += " " + sys.implementation.name
    return [("runtime", runtime), ("executable", sys.executable or "")]


def _expect(message: ControlMessage, kind: str, descriptors: int) -> List[int]:
    """Return the descriptors of a message of `kind`. Raises UnexpectedMessage when it is not one, or has others."""
    if message.kind != kind or len(message.descriptors) != descriptors:
        raise UnexpectedMessage(
            "expected {!r} with {} descriptors, got {!r} with {}".format(
                kind, descriptors, message.kind, len(message.descriptors)
            )
        )
    return message.descriptors


def _has_own_socket(message: ControlMessage) -> bool:
    return bool(message.get("route"))


def _worker_slot(message: ControlMessage, own: List[int]) -> WorkerSlot:
    """`own`: the descriptor of the worker's own socket, if it has one."""
    return WorkerSlot(int(message.get("slot")), message.get("route"), own[0] if own else None)
