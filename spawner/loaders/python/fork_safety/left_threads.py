"""Threads that the import has started: a fork does not have them, unless somebody starts them again in it."""

import re
import sys
from typing import Any, Iterator, List, Optional, Sequence

from ....shared.app_files import AppFiles
from ..core.unpatched import os, time
from .fork_hazards import DIRECT, Hazard, hazard, knows_its_process
from .import_tracer import ImportTracer, StartedThread

_LOOKS = 100
_PAUSE = 0.005  # seconds
_TEXT = "{}, which runs {}, was started during the import{}. The workers do not have it: start it in after_fork()."
_NUMBER = re.compile("[0-9]+")  # in names that Python or a library has counted


def hazards(tracer: ImportTracer, _: AppFiles) -> Iterator[Hazard]:
    """Yield a hazard for each thread that a worker would miss."""
    alive = _python_threads()
    started = {id(each.thread): each for each in tracer.threads if each.thread is not None}
    for thread in alive:
        if not _is_started_again_when_needed(thread):
            yield _python_thread(thread, started.get(id(thread)))
    native = _native_threads(tracer, len(alive))
    others = len(native) - 1 - len(alive)
    low_level = [each for each in tracer.threads if each.thread is None][: max(0, others)]
    for index, each in enumerate(low_level):
        text = _TEXT.format("a thread", _function(each.function), " at {}".format(each.call_site))
        yield hazard("thread", _name_of_function(each.function), text, "threads", _fewer_others(others - index))
    others -= len(low_level) + _threads_that_survive()
    if others > 0:
        yield _native(others, sorted(set(native) - {_own_name()}))


# Threads of Python's


def _python_thread(thread: Any, started: Optional[StartedThread]) -> Hazard:
    where = " at {}".format(started.call_site) if started is not None else ""
    function = _function_of(thread)
    name = _NUMBER.sub("N", thread.name)  # the same with each import, and one text for all threads of a pool
    subject = thread.name if name == thread.name else _name_of_function(function)
    text = _TEXT.format("the thread {!r}".format(name), _function(function), where)

    def is_missing() -> bool:
        return not any(_stands_for(other, thread, function) for other in _python_threads())

    return hazard("thread", subject, text, "threads", is_missing, lambda: not thread.is_alive())


def _stands_for(other: Any, thread: Any, function: Any) -> bool:
    """Whether `other`, of a worker, does what `thread` does in the preloader: somebody has started it again."""
    if other.name == thread.name:
        return True
    its = _function_of(other)
    code = getattr(_plain(function), "__code__", None)
    if code is None or getattr(_plain(its), "__code__", None) is not code:
        return False
    owner = getattr(function, "__self__", None)
    return owner is None or getattr(its, "__self__", None) is owner


def _is_started_again_when_needed(thread: Any) -> bool:
    """Whether what owns the thread has noted its process: then it misses the thread in another one."""
    function = getattr(thread, "_target", None)
    owners = [thread, getattr(function, "__self__", None)]
    for cell in getattr(_plain(function), "__closure__", None) or ():
        try:
            owners.append(cell.cell_contents)
        except ValueError:  # an empty one
            pass
    return any(owner is not None and knows_its_process(owner) for owner in owners)


def _python_threads() -> List[Any]:
    threading = sys.modules.get("threading")
    if threading is None:
        return []
    main = threading.main_thread()
    return [thread for thread in threading.enumerate() if thread is not main]


def _function_of(thread: Any) -> Any:
    return getattr(thread, "_target", None) or type(thread).run


def _plain(function: Any) -> Any:
    return getattr(function, "__func__", function)


def _function(function: Any) -> str:
    """Return a function's name and where it is defined."""
    plain = _plain(function)
    name = getattr(plain, "__qualname__", None) or type(plain).__name__
    code = getattr(plain, "__code__", None)
    return "{} ({}:{})".format(name, code.co_filename, code.co_firstlineno) if code is not None else str(name)


def _name_of_function(function: Any) -> str:
    plain = _plain(function)
    return "{}.{}".format(getattr(plain, "__module__", ""), getattr(plain, "__qualname__", type(plain).__name__))


# Threads that Python does not know


def _native(count: int, names: List[str]) -> Hazard:
    what = "{} of extension modules{} {} started during the import. The workers do not have {}: {}"
    number = "{} native thread{}".format(count, "s" if count > 1 else "")
    named = " ({})".format(", ".join(names)) if names else ""
    text = what.format(number, named, "were" if count > 1 else "was", "them" if count > 1 else "it", DIRECT)
    return hazard("native-threads", "", text, "native-threads", _fewer_others(1))


def _fewer_others(number: int) -> Any:
    """Return what says in a worker whether it has fewer threads than that which `threading` does not know."""
    return lambda: len(_tasks()) - 1 - len(_python_threads()) < number


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
