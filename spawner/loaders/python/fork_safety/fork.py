"""What a fork must not share with the process that it is a copy of: signals, requests and locks.

Signals: Python's signal handlers write to a pipe, which a copy has as well. Without more, a SIGTERM for a process that
an app has forked (`multiprocessing.Pool` sends one to each of its processes) would tell its worker to go, and not end
the copy.

Requests: a copy whose code leaves the app would answer the worker's client, and then serve on as a second worker. So
would one that is made while the app is imported, and returns from it.

Locks: a fork has the thread that forked and no other. Python makes most of its own locks anew in the child, but neither
those of modules that are being imported nor those in open files, which the handlers of logs hold while they write.

Python 3.6 tells nobody of a fork (os.register_at_fork is of 3.7): there, only our own forks are as they should be.
"""

import sys
from typing import Any, Iterator, List, NoReturn, Optional

from ..core.signal_queue import SignalQueue
from ..core.unpatched import _thread, os, time
from ..diagnostics import error_log

_LOG_LOCKS_TIMEOUT = 1.0  # seconds for all handlers together: one that writes to a slow peer is not waited for

forked_by_app = False  # whether this process is a copy that the app has made of one of ours


# Forks of ours


def fork_worker() -> int:
    """As os.fork, at a moment at which no other thread writes to a log. Raises OSError."""
    held = _acquire(_locks_of_logging()) if _thread._count() else []
    pid = 1
    try:
        pid = _fork()
    finally:
        for lock in reversed(held):
            _release(lock)
    if pid == 0:
        _forget_imports_under_way()
    return pid


def process_is_ours() -> None:
    """This process is a worker, whoever it is a copy of."""
    global forked_by_app
    forked_by_app = False


def _fork() -> int:
    if hasattr(os, "register_at_fork"):
        return os.fork()
    _before_fork()
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid == 0:
            _after_fork_in_child()
        else:
            _after_fork_in_parent()
    return pid


# Forks of the app


def watch_forks() -> None:
    """See to each fork from now on. Before the app is loaded: in a copy, its hooks are to run after ours."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
        )


def end_forked_process(error: Optional[BaseException]) -> NoReturn:
    """End a copy whose code has left the app, by returning or with `error`, as Python ends a program.

    The exit hooks are the worker's, and do not run.
    """
    status = 0
    if isinstance(error, SystemExit):
        status = _exit_status(error.code)
    elif error is not None:
        error_log.log_app_error("a process that the app has forked ends with an error", error)
        status = 1
    error_log.flush_streams()
    os._exit(status)


def _exit_status(code: object) -> int:
    """The exit status that sys.exit(code) stands for."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    error_log.log(str(code))
    return 1


# Signals: the queue of the process that forks stays its own


def _before_fork() -> None:
    if SignalQueue.current is not None:
        SignalQueue.current.block()


def _after_fork_in_parent() -> None:
    if SignalQueue.current is not None:
        SignalQueue.current.unblock()


def _after_fork_in_child() -> None:
    global forked_by_app
    forked_by_app = True
    queue = SignalQueue.current
    if queue is not None:
        queue.close()
        queue.unblock()


# Locks: none stays with a thread that is not there any more


def _locks_of_logging() -> Iterator[Any]:
    """Yield those of `logging`: its own, which the fork takes too and so comes first, then those of its handlers."""
    logging: Any = sys.modules.get("logging")
    yield getattr(logging, "_lock", None)
    for reference in list(getattr(logging, "_handlerList", ())):
        yield getattr(reference(), "lock", None)


def _acquire(locks: Iterator[Any]) -> List[Any]:
    """Take them, those that can be had in time. Not those that the app has replaced by other kinds."""
    deadline = time.monotonic() + _LOG_LOCKS_TIMEOUT
    return [
        lock
        for lock in locks
        if isinstance(lock, _thread.RLock) and lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
    ]


def _release(lock: Any) -> None:
    """In the child `logging` may have made it anew."""
    try:
        lock.release()
    except RuntimeError:
        pass


def _forget_imports_under_way() -> None:
    """What another thread was importing is imported anew by who needs it, and not waited for."""
    locks: Any = getattr(sys.modules.get("_frozen_importlib"), "_module_locks", None) or {}
    for name, reference in list(locks.items()):
        if _is_held(reference()):
            locks.pop(name, None)
    for name, module in list(sys.modules.items()):
        if getattr(getattr(module, "__spec__", None), "_initializing", False):
            del sys.modules[name]


def _is_held(lock: Any) -> bool:
    """Whether a thread was importing under this lock of a module's, or about to. PyPy keeps those that are free, too.

    A free one stays: to make it anew takes a lock, which an app may have replaced by something else.
    """
    if lock is None:
        return False
    if lock.owner is not None or not lock.lock.acquire(False):
        return True
    lock.lock.release()
    return False
