"""Notes, while an app is imported, where it starts threads, connects sockets, and imports what does not survive a fork.

A few functions are replaced during the import. Afterwards nothing of it is left: copies of the replacements that
modules have made are put right, and one that is out of reach (in a closure) only calls the function that it replaced.
"""

import sys
from types import FrameType
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from ....shared.app_files import AppFiles, is_ours
from ..core.unpatched import _thread, os, socket
from . import module_globals

_THREAD_STARTERS = ("start_new_thread", "start_new", "start_joinable_thread")  # of _thread; threading has `_` before
_SOCKET_CALLS = ("connect", "connect_ex", "listen")
_NOT_A_CALL_SITE = tuple(os.path.join(os.sep, name) for name in ("threading.py", "socket.py", "_bootstrap.py"))


class CallSite(NamedTuple):
    """Where something was done: in which line, and which line of the app's own led there (may be the same)."""

    line: str
    app_line: Optional[str]

    def __str__(self) -> str:
        if self.app_line is None or self.app_line == self.line:
            return self.line
        return "{} (through {})".format(self.app_line, self.line)


class StartedThread(NamedTuple):
    """`thread`: the threading.Thread, None for a thread of _thread's. `function`: what it runs."""

    thread: Any
    function: Any
    call_site: CallSite


class ImportTracer:
    """Traces from `start` to `stop`.

    `threads`: in the order of their start. `sockets`: by inode, the last call that made each what it is.
    `imports`: of the watched modules, by name, who imported each first. `descriptors`: those open before.
    """

    def __init__(self, files: AppFiles, watched_modules: Sequence[str]) -> None:
        self.threads: List[StartedThread] = []
        self.sockets: Dict[int, CallSite] = {}
        self.imports: Dict[str, CallSite] = {}
        self.descriptors: Sequence[int] = ()
        self._files = files
        self._watched_modules = frozenset(watched_modules)
        self._active = False
        self._replaced: Dict[Any, Any] = {}  # the function that each replacement stands for
        self._socket_class = socket.socket

    def start(self) -> None:
        """Replace what is traced."""
        self._active = True
        self.descriptors = open_descriptors()
        for name in _THREAD_STARTERS:
            function = getattr(_thread, name, None)
            if function is not None:
                self._replaced[self._traced_start(function)] = function
        self._replace_in_modules({function: replacement for replacement, function in self._replaced.items()})
        for name in _SOCKET_CALLS:
            if name not in vars(self._socket_class):
                setattr(self._socket_class, name, self._traced_call(getattr(self._socket_class, name)))
        sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Restore everything."""
        self._active = False
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in _SOCKET_CALLS:
            if getattr(vars(self._socket_class).get(name), "tracer", None) is self:
                delattr(self._socket_class, name)
        self._replace_in_modules(self._replaced)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """As a finder of sys.meta_path: note who imports a watched module, and leave finding it to the others."""
        if name in self._watched_modules and name not in self.imports:
            self.imports[name] = self._call_site(sys._getframe(1))

    @staticmethod
    def _replace_in_modules(replacements: Dict[Any, Any]) -> None:
        """In all modules, put in the place of each function the one that replaces it."""
        by_identity = {id(old): new for old, new in replacements.items()}
        for _, variables in module_globals.all_modules():
            for name, value in list(variables.items()):
                if id(value) in by_identity:
                    variables[name] = by_identity[id(value)]

    def _traced_start(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def start(target: Any, *arguments: Any, **keywords: Any) -> Any:
            if self._active:
                thread = getattr(target, "__self__", None)
                kind = getattr(sys.modules.get("threading"), "Thread", None)
                known = kind is not None and isinstance(thread, kind)
                call_site = self._call_site(sys._getframe(1))
                self.threads.append(StartedThread(thread if known else None, target, call_site))
            return function(target, *arguments, **keywords)

        start.__name__ = function.__name__
        return start

    def _traced_call(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(sock: Any, *arguments: Any) -> Any:
            if self._active:
                self._note_socket(sock, sys._getframe(1))
            return function(sock, *arguments)

        call.__name__ = function.__name__
        call.tracer = self  # type: ignore[attr-defined]
        return call

    def _note_socket(self, sock: Any, frame: FrameType) -> None:
        try:
            self.sockets[os.fstat(sock.fileno()).st_ino] = self._call_site(frame)
        except (OSError, ValueError):
            pass  # a closed one: the call itself will say so

    def _call_site(self, frame: Optional[FrameType]) -> CallSite:
        line = app_line = None
        while frame is not None and app_line is None:
            file = frame.f_code.co_filename
            if not file.startswith("<") and not is_ours(file) and not file.endswith(_NOT_A_CALL_SITE):
                here = "{}:{}".format(file, frame.f_lineno)
                line = line or here
                app_line = here if self._files.holds(file) else None
            frame = frame.f_back
        return CallSite(line or "an unknown line", app_line)


def open_descriptors() -> List[int]:
    """Return the descriptors of this process."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return []
    return [number for number in sorted(int(name) for name in names) if _is_open(number)]


def _is_open(number: int) -> bool:
    """That of the listing itself is not open any more."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
