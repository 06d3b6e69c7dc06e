"""Notes, while an app is loaded, where it starts threads, connects sockets, and imports what does not survive a fork.

For that a few functions are replaced for the time of loading. Afterwards nothing of it is left: what modules have
copied of the replacements is put right, and what is out of reach (a closure) only passes on.
"""

import _thread
import os
import socket
import sys
from types import FrameType
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from ...shared.app_files import AppFiles, is_ours
from . import module_globals

_STARTERS = ("start_new_thread", "start_new", "start_joinable_thread")  # of _thread; threading has `_` before them
_CALLS = ("connect", "connect_ex", "listen")
_PASSED_OVER = tuple(os.path.join(os.sep, name) for name in ("threading.py", "socket.py", "_bootstrap.py"))


class Trail(NamedTuple):
    """Where something was done: in which line, and which line of the app's own led there (may be the same)."""

    place: str
    own: Optional[str]

    def __str__(self) -> str:
        if self.own is None or self.own == self.place:
            return self.place
        return "{} (through {})".format(self.own, self.place)


class StartedThread(NamedTuple):
    """`thread`: the threading.Thread, None for a thread of _thread's. `function`: what it runs."""

    thread: Any
    function: Any
    trail: Trail


class Observer:
    """Observes from `begin` to `end`.

    `threads`: in the order of their start. `sockets`: by inode, the last call that made each what it is.
    `imports`: of the watched modules, by name, who imported each first. `descriptors`: those open before.
    """

    def __init__(self, files: AppFiles, watched: Sequence[str]) -> None:
        self.threads: List[StartedThread] = []
        self.sockets: Dict[int, Trail] = {}
        self.imports: Dict[str, Trail] = {}
        self.descriptors: Sequence[int] = ()
        self._files = files
        self._watched = frozenset(watched)
        self._active = False
        self._starters: Dict[Any, Any] = {}  # each replacement, and what it stands for
        self._socket_class = socket.socket

    def begin(self) -> None:
        """Replace what is observed."""
        self._active = True
        self.descriptors = open_descriptors()
        for name in _STARTERS:
            original = getattr(_thread, name, None)
            if original is not None:
                self._starters[self._observing_start(original)] = original
        self._exchange({original: starter for starter, original in self._starters.items()})
        for name in _CALLS:
            if name not in vars(self._socket_class):
                setattr(self._socket_class, name, self._observing_call(getattr(self._socket_class, name)))
        sys.meta_path.insert(0, self)

    def end(self) -> None:
        """Put everything back."""
        self._active = False
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in _CALLS:
            if getattr(vars(self._socket_class).get(name), "observer", None) is self:
                delattr(self._socket_class, name)
        self._exchange(self._starters)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Note who imports a watched module; finding it is left to the finders behind this one."""
        if name in self._watched and name not in self.imports:
            self.imports[name] = self._trail(sys._getframe(1))

    @staticmethod
    def _exchange(replacements: Dict[Any, Any]) -> None:
        """In all modules, put for each function that which it is to be replaced by."""
        by_identity = {id(old): new for old, new in replacements.items()}
        for _, variables in module_globals.of_all_modules():
            for name, value in list(variables.items()):
                if id(value) in by_identity:
                    variables[name] = by_identity[id(value)]

    def _observing_start(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def start(function: Any, *arguments: Any, **keywords: Any) -> Any:
            if self._active:
                thread = getattr(function, "__self__", None)
                kind = getattr(sys.modules.get("threading"), "Thread", None)
                known = kind is not None and isinstance(thread, kind)
                trail = self._trail(sys._getframe(1))
                self.threads.append(StartedThread(thread if known else None, function, trail))
            return original(function, *arguments, **keywords)

        start.__name__ = original.__name__
        return start

    def _observing_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(sock: Any, *arguments: Any) -> Any:
            if self._active:
                self._note_socket(sock, sys._getframe(1))
            return original(sock, *arguments)

        call.__name__ = original.__name__
        call.observer = self  # type: ignore[attr-defined]
        return call

    def _note_socket(self, sock: Any, frame: FrameType) -> None:
        try:
            self.sockets[os.fstat(sock.fileno()).st_ino] = self._trail(frame)
        except (OSError, ValueError):
            pass  # a closed one: the call itself will say so

    def _trail(self, frame: Optional[FrameType]) -> Trail:
        place = own = None
        while frame is not None and own is None:
            file = frame.f_code.co_filename
            if not file.startswith("<") and not is_ours(file) and not file.endswith(_PASSED_OVER):
                here = "{}:{}".format(file, frame.f_lineno)
                place = place or here
                own = here if self._files.holds(file) else None
            frame = frame.f_back
        return Trail(place or "an unknown place", own)


def open_descriptors() -> List[int]:
    """Return the descriptors of this process."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return []
    return [number for number in sorted(int(name) for name in names) if _is_open(number)]


def _is_open(number: int) -> bool:
    """Whether it is, as that of the listing itself is not any more."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
