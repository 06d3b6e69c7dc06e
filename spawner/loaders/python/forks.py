"""What a fork must not share with the process that it is a copy of: signals and requests.

Python's signal handlers write to a pipe, which a copy has as well: without more, a SIGTERM for a process that an app
has forked (`multiprocessing.Pool` sends one to each of its processes) would tell its worker to go, and not end the
copy. And a copy whose code leaves the app would answer the worker's client, and then serve on as a second worker.

Python 3.6 tells nobody of a fork (os.register_at_fork is of 3.7): there, only our own forks are as they should be.
"""

import os
from typing import NoReturn, Optional

from . import originals, report, standard_streams
from .signal_queue import SignalQueue

copied = False  # whether this process is a copy that was made since `begin`


def follow() -> None:
    """See to each fork from now on. Before the app is loaded: in a copy, its hooks are to run after ours."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_copy)


def begin() -> None:
    """This process is one of ours, whoever it is a copy of."""
    global copied
    copied = False


def fork() -> int:
    """As os.fork. Raises OSError."""
    if hasattr(os, "register_at_fork"):
        return originals.fork()
    _before()
    pid = -1
    try:
        pid = originals.fork()
    finally:
        if pid == 0:
            _in_copy()
        else:
            _in_parent()
    return pid


def end_copy(error: Optional[BaseException]) -> NoReturn:
    """End a copy whose code has left the app, by returning or with `error`, as Python ends a program.

    The exit hooks are the worker's, and do not run.
    """
    status = 0
    if isinstance(error, SystemExit):
        status = _status_of(error.code)
    elif error is not None:
        report.log_failure("a process that the app has forked ends", error)
        status = 1
    standard_streams.flush()
    originals.end_process(status)


def _status_of(code: object) -> int:
    """The exit status that sys.exit(code) stands for."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    report.log(str(code))
    return 1


def _before() -> None:
    if SignalQueue.open is not None:
        SignalQueue.open.hold()


def _in_parent() -> None:
    if SignalQueue.open is not None:
        SignalQueue.open.release()


def _in_copy() -> None:
    global copied
    copied = True
    queue = SignalQueue.open
    if queue is not None:
        queue.close()
        queue.release()
