"""The pidfd of a program: it says when the program has ended, and a signal through it reaches no other process.

Python has these calls from 3.9 on; the interpreter that runs the supervisor may be older. It is the one that PATH has,
for an app of Node.js or any other program says nothing of Python.
"""

import ctypes
import os
import signal

# The numbers of the system calls, the same on every machine.
_SEND_SIGNAL = 424
_OPEN = 434


def open_own() -> int:
    """Return a descriptor that is readable when this process has ended. Raises OSError before Linux 5.3."""
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(os.getpid())
    descriptor = _call(_OPEN, os.getpid(), 0)
    os.set_inheritable(descriptor, False)
    return descriptor


def send_signal(pidfd: int, number: int) -> None:
    """Signal the process; one that has ended is no error."""
    try:
        if hasattr(signal, "pidfd_send_signal"):
            signal.pidfd_send_signal(pidfd, number)
        else:
            _call(_SEND_SIGNAL, pidfd, number, None, 0)
    except ProcessLookupError:
        pass


def _call(number: int, *arguments: object) -> int:
    result = int(ctypes.CDLL(None, use_errno=True).syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "pidfd: " + os.strerror(ctypes.get_errno()))
    return result
