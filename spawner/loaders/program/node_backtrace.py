"""Asks a Node.js process what its event loop runs, and writes it to the app's output for the spawner.

docs/decisions/012-stacks-by-a-signal.md has the form, and how Node.js is made to answer (loaders/node/backtrace.js).
"""

import signal
from collections import Counter
from typing import Any, Callable, Dict, List, Optional

from ...shared.app_files import is_ours
from . import process_view
from .event_loop import EventLoop, Timer
from .node_failure import calls_in, text_of

_PATIENCE = 1.0  # seconds for the answer; the spawner waits for twice as long
_MOST_RESOURCES = 10
_NO_ANSWER = "  (it runs no JavaScript, or long calls of Node.js itself: what the app has called is not known)"
_NOT_POSSIBLE = "  (its calls are not known: it has not come so far yet, or the app listens for SIGUSR1)"
_NAME = "event loop"
_BELOW = ("at process.emit ", "at process.callbackTrampoline ")  # our listener; the latter with async_hooks


class NodeBacktraces:
    """One question at a time. Invariant: `_timer` is set exactly while an answer is waited for.

    `possible`: whether the process has a listener of ours, and the app none of its own, for SIGUSR1.
    """

    def __init__(self, loop: EventLoop, pid: int, send_signal: Callable[[int], None]) -> None:
        self.possible = False
        self._loop = loop
        self._pid = pid
        self._send_signal = send_signal
        self._write: Callable[[str], None]
        self._timer: Optional[Timer] = None

    def ask(self, write: Callable[[str], None]) -> None:
        """Have the calls written, or why there are none. `write`: writes whole lines to the app's output."""
        if self._timer is not None:
            return
        self._write = write
        if not self.possible or not self._is_caught():
            self._show([_NOT_POSSIBLE, *process_view.main_thread(self._pid)])
            return
        self._timer = self._loop.call_later(_PATIENCE, self._give_up)
        self._send_signal(signal.SIGUSR1)

    def answered(self, message: Dict[str, Any]) -> None:
        """The process has sent its calls. Nobody may wait for them any more."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        self._show(_lines(message))

    def _give_up(self) -> None:
        self._timer = None
        self._show([_NO_ANSWER, *process_view.main_thread(self._pid)])

    def _show(self, lines: List[str]) -> None:
        self._write("\n".join([process_view.heading(self._pid, _NAME), *lines]))

    def _is_caught(self) -> bool:
        """Whether the signal would not end the process: SIGUSR1 may be disabled in Node.js."""
        try:
            with open("/proc/{}/status".format(self._pid)) as file:
                caught = [line.split()[1] for line in file if line.startswith("SigCgt:")]
        except OSError:
            return False
        return bool(caught) and bool(int(caught[0], 16) >> (signal.SIGUSR1 - 1) & 1)


def _lines(message: Dict[str, Any]) -> List[str]:
    stack = text_of(message, "stack")
    calls = [call for call in reversed(calls_in(stack)) if not is_ours(call[0])]
    if calls:
        return ['  File "{}", line {} in {}'.format(file, line, name or "<anonymous>") for file, line, name in calls]
    if _is_idle(stack):
        return ["  (waits for events{})".format(_open(message.get("resources")))]
    return ["  (runs code of Node.js itself, for no call of the app)"]


def _is_idle(stack: str) -> bool:
    """Whether there is nothing below our listener."""
    lines = [line for line in stack.split("\n")[1:] if not any(is_ours(call[0]) for call in calls_in(line))]
    return all(line.strip().startswith(_BELOW) for line in lines)


def _open(resources: Any) -> str:
    """Return what can cause events: `; open: 2 TCPSocketWrap, 1 Timeout`."""
    if not isinstance(resources, list) or not resources:
        return ""
    counted = Counter(str(one)[:40] for one in resources).most_common(_MOST_RESOURCES)
    return "; open: " + ", ".join("{} {}".format(count, name) for name, count in counted)
