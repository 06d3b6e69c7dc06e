"""Warnings about what the app has after its import and a forked worker cannot share: one text each, for people.

To look must never fail a start: what cannot be looked at is left out.
"""

import sys
from typing import Any, Iterator, List, Optional, Sequence

from ....shared.app_files import AppFiles
from ..core.unpatched import os, time
from ..diagnostics import error_log
from . import random_state
from .import_tracer import ImportTracer, StartedThread
from .inherited_descriptors import InheritedDescriptors

_MOST = 50  # warnings that are told
_LONGEST = 1000  # characters
_LOOKS = 100
_PAUSE = 0.005  # seconds
_THREAD = "{}, which runs {}, was started during the import{}. No worker has it: start it in after_fork()."
_DIRECT = "create what you need of it in after_fork(), or load the app in each worker (PassengerSpawnMethod direct)."
# Libraries that say of themselves that they do not survive a fork once they are in use.
UNSAFE = {
    "grpc": "channels and servers that were created before a fork hang or crash after it",
    "confluent_kafka": "clients that were created before a fork deliver nothing after it",
    "tensorflow": "if it has computed something before a fork, it hangs after it",
    "polars": "if it has computed something before a fork, it can hang after it",
    "jpype": "a Java machine that was started before a fork hangs after it",
}


def new_tracer(files: AppFiles) -> ImportTracer:
    """Return what has to trace the import of the app."""
    return ImportTracer(files, tuple(UNSAFE))


def warnings(tracer: ImportTracer, ours: Sequence[int], files: AppFiles) -> List[str]:
    """Return the texts. `ours`: the loader's own descriptors."""
    found: List[str] = []
    for source in (
        _threads(tracer),
        _descriptors(tracer, ours),
        _unsafe_modules(tracer),
        random_state.warnings(files),
    ):
        try:
            found += source
        except Exception as error:  # noqa: BLE001 - objects of the app's own, which may do anything when looked at
            error_log.log_app_error("cannot find out what forks cannot share", error)
    found = list(dict.fromkeys(found))
    more = len(found) - _MOST
    told = [text[:_LONGEST] for text in found[:_MOST]]
    return told + (["There are {} more warnings of this kind.".format(more)] if more > 0 else [])


def _descriptors(tracer: ImportTracer, ours: Sequence[int]) -> Iterator[str]:
    yield from InheritedDescriptors(tracer, ours).warnings()


def _unsafe_modules(tracer: ImportTracer) -> Iterator[str]:
    for name, reason in UNSAFE.items():
        if name in sys.modules:
            call_site = tracer.imports.get(name)
            where = " at {}".format(call_site) if call_site is not None else ""
            yield "{} was imported{}: {}. If the app uses it during the import, {}".format(name, where, reason, _DIRECT)


def _threads(tracer: ImportTracer) -> Iterator[str]:
    python_threads = _python_threads()
    started = {id(each.thread): each for each in tracer.threads if each.thread is not None}
    for thread in python_threads:
        yield _thread(thread, started.get(id(thread)))
    native = _native_threads(tracer, len(python_threads))
    others = len(native) - 1 - len(python_threads)
    low_level = [each for each in tracer.threads if each.thread is None][: max(0, others)]
    for each in low_level:
        yield _THREAD.format("a thread", _function(each.function), " at {}".format(each.call_site))
    others -= len(low_level) + _threads_that_survive()
    if others > 0:
        yield _native(others, sorted(set(native) - {_own_name()}))


def _thread(thread: Any, started: Optional[StartedThread]) -> str:
    where = " at {}".format(started.call_site) if started is not None else ""
    function = getattr(thread, "_target", None) or type(thread).run
    return _THREAD.format("the thread {!r}".format(thread.name), _function(function), where)


def _native(count: int, names: List[str]) -> str:
    what = "{} of extension modules{} {} started during the import. No worker has {}: {}"
    number = "{} native thread{}".format(count, "s" if count > 1 else "")
    named = " ({})".format(", ".join(names)) if names else ""
    return what.format(number, named, "were" if count > 1 else "was", "them" if count > 1 else "it", _DIRECT)


def _function(function: Any) -> str:
    """Return a function's name and where it is defined."""
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


def _native_threads(tracer: ImportTracer, alive: int) -> List[str]:
    """Return the names that the kernel has for this process's threads; one that Python has ended may take a moment."""
    ended = [each.thread for each in tracer.threads if each.thread is not None and not each.thread.is_alive()]
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
