"""What the app holds after its import that a forked worker cannot share: one sentence each, for people.

Looking must never fail a start: what cannot be looked at is passed over.
"""

import os
import sys
import time
from typing import Any, Iterator, List, Sequence

from ...shared.app_files import AppFiles
from . import random_state, report
from .held_descriptors import Descriptors
from .observation import Observer, StartedThread

_MOST = 50  # findings that are told
_LONGEST = 1000  # characters
_LOOKS = 100
_PAUSE = 0.005  # seconds
_DIRECT = "create what you need of it in after_fork(), or load the app in each worker (PassengerSpawnMethod direct)."
# Libraries that say of themselves that they do not survive a fork once they are in use.
UNSAFE = {
    "grpc": "channels and servers that were made before a fork hang or crash after it",
    "confluent_kafka": "clients that were made before a fork deliver nothing after it",
    "tensorflow": "what has computed before a fork hangs after it",
    "polars": "what has computed before a fork can hang after it",
    "jpype": "a Java machine that was started before a fork hangs after it",
}


def observer(files: AppFiles) -> Observer:
    """Return what has to watch the app being loaded."""
    return Observer(files, tuple(UNSAFE))


def findings(watched: Observer, ours: Sequence[int], files: AppFiles) -> List[str]:
    """Return the sentences. `ours`: the loader's own descriptors."""
    found: List[str] = []
    for looking in (
        _threads(watched),
        _descriptors(watched, ours),
        _unsafe_modules(watched),
        random_state.findings(files),
    ):
        try:
            found += looking
        except Exception as error:  # noqa: BLE001 - objects of the app's own, which may do anything when looked at
            report.log_failure("looking for what forks cannot share", error)
    found = list(dict.fromkeys(found))
    more = len(found) - _MOST
    told = [sentence[:_LONGEST] for sentence in found[:_MOST]]
    return told + (["{} more of this kind were found.".format(more)] if more > 0 else [])


def _descriptors(watched: Observer, ours: Sequence[int]) -> Iterator[str]:
    yield from Descriptors(watched, ours).findings()


def _unsafe_modules(watched: Observer) -> Iterator[str]:
    for name, reason in UNSAFE.items():
        if name in sys.modules:
            trail = watched.imports.get(name)
            where = " at {}".format(trail) if trail is not None else ""
            yield "{} was imported{}: {}. If it is in use then, {}".format(name, where, reason, _DIRECT)


def _threads(watched: Observer) -> Iterator[str]:
    python_threads = _python_threads()
    started = {id(each.thread): each for each in watched.threads if each.thread is not None}
    for thread in python_threads:
        yield _thread(thread, started.get(id(thread)))
    native = _native_threads(watched, len(python_threads))
    others = len(native) - 1 - len(python_threads)
    simple = [each for each in watched.threads if each.thread is None][: max(0, others)]
    for each in simple:
        what = "a thread that runs {} was started at import at {} and runs in no worker: start it in after_fork()."
        yield what.format(_function(each.function), each.trail)
    others -= len(simple) + _threads_that_survive()
    if others > 0:
        names = sorted(set(native) - {_own_name()})
        what = "{} of extension modules, started at import, {} in no worker: {}"
        number = "{} native thread{}".format(others, "s" if others > 1 else "")
        named = "{} ({})".format(number, ", ".join(names)) if names else number
        yield what.format(named, "run" if others > 1 else "runs", _DIRECT)


def _thread(thread: Any, started: Any) -> str:
    note: StartedThread = started
    where = " at {}".format(note.trail) if note is not None else ""
    function = getattr(thread, "_target", None) or type(thread).run
    what = "the thread {!r}, which runs {}, was started at import{} and runs in no worker: start it in after_fork()."
    return what.format(thread.name, _function(function), where)


def _function(function: Any) -> str:
    """Return a function's name and where it is written."""
    plain = getattr(function, "__func__", function)
    name = getattr(plain, "__qualname__", None) or type(plain).__name__
    code = getattr(plain, "__code__", None)
    return "{} ({}:{})".format(name, code.co_filename, code.co_firstlineno) if code is not None else str(name)


def _python_threads() -> List[Any]:
    threading = sys.modules.get("threading")
    if threading is None:
        return []
    main = threading.main_thread()
    return [thread for thread in threading.enumerate() if thread is not main]


def _native_threads(watched: Observer, alive: int) -> List[str]:
    """Return the names that the kernel has for this process's threads; one that Python has ended may take a moment."""
    ended = [each.thread for each in watched.threads if each.thread is not None and not each.thread.is_alive()]
    tasks = _tasks()
    for _ in range(_LOOKS):
        if len(tasks) <= 1 + alive or not _any_among(ended, tasks):
            break
        time.sleep(_PAUSE)
        tasks = _tasks()
    return [_name_of(task) for task in tasks]


def _tasks() -> List[str]:
    try:
        return os.listdir("/proc/self/task")
    except OSError:
        return []


def _any_among(threads: Sequence[Any], tasks: Sequence[str]) -> bool:
    """Whether the kernel still has one of them, or may have one: before Python 3.8 they did not know their numbers."""
    numbers = [getattr(thread, "native_id", None) for thread in threads]
    return any(number is None or str(number) in tasks for number in numbers)


def _name_of(task: str) -> str:
    try:
        with open("/proc/self/task/{}/comm".format(task)) as file:
            return file.read().strip()
    except OSError:
        return "?"


def _own_name() -> str:
    return _name_of(str(os.getpid()))


def _threads_that_survive() -> int:
    """Return how many threads may be OpenBLAS's: it ends them before a fork and starts them again when needed."""
    libraries = set()
    try:
        with open("/proc/self/maps") as maps:
            for line in maps:
                path = line.rpartition(" ")[2].strip()
                if "openblas" in os.path.basename(path):
                    libraries.add(path)
        return len(libraries) * (len(os.sched_getaffinity(0)) - 1)
    except (OSError, AttributeError):
        return 0
