"""The fork of a preloader whose app has started threads: no lock stays with a thread that is not there any more.

A fork has the thread that forked and no other. Python makes most of its own locks anew in the child, but neither those
of modules that are being imported nor those in open files, which the handlers of logs hold while they write.
"""

import _thread
import sys
import time
from typing import Any, Iterator, List

from . import forks, originals

_PATIENCE = 1.0  # seconds for all handlers together: one that writes to a slow peer is not waited for


def fork() -> int:
    """Return what forks.fork() does; it comes at a moment at which no other thread writes to a log. Raises OSError."""
    held = _hold(_locks_of_logs()) if _thread._count() else []
    pid = 1
    try:
        pid = forks.fork()
    finally:
        for lock in reversed(held):
            _release(lock)
    if pid == 0:
        _forget_imports_under_way()
    return pid


def _locks_of_logs() -> Iterator[Any]:
    """Yield those of `logging`: its own, which the fork takes too and so comes first, then those of its handlers."""
    logging: Any = sys.modules.get("logging")
    yield getattr(logging, "_lock", None)
    for reference in list(getattr(logging, "_handlerList", ())):
        yield getattr(reference(), "lock", None)


def _hold(locks: Iterator[Any]) -> List[Any]:
    """Take them, those that can be had in time. Not those that the app has replaced by other kinds."""
    deadline = time.monotonic() + _PATIENCE
    return [
        lock
        for lock in locks
        if isinstance(lock, originals.RLock) and lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
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
