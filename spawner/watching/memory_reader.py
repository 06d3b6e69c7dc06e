"""Reads the memory of processes for all who want to know it, in threads: the kernel may take long, or for ever."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass
from typing import Callable, Iterable, Optional

from spawner.system.linux import Identity
from spawner.system.smaps import Shares, shares_of

_LONG = 1.0  # seconds for one process, after which another thread goes on with the others
_MOST_THREADS = 5  # with as many processes that the kernel does not answer for, nobody's memory is known any more

# A pid, and whom it runs as if that is known.
Subject = tuple[int, Optional[Identity]]


@dataclass
class _Question:
    """Only the thread that reads it writes `since`: CLOCK_MONOTONIC, 0 until then."""

    pid: int
    identity: Optional[Identity]
    answer: "asyncio.Future[Optional[Shares]]"
    since: float = 0.0

    @property
    def held_for(self) -> float:
        """How long the kernel has been asked for, in seconds."""
        return time.monotonic() - self.since if self.since else 0.0


class MemoryReader:
    """Has no thread until somebody asks, and one more only while the kernel holds those that there are.

    Invariant: a process is asked for by one thread at a time: one that is held is not asked for again.
    Everything is called in the loop's thread, but for `read`.

    :param read: asks the kernel; may block.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        read: Callable[[int, Optional[Identity]], Optional[Shares]] = shares_of,
    ) -> None:
        self._loop = loop
        self._read = read
        self._open: dict[int, _Question] = {}
        self._asked: "queue.SimpleQueue[Optional[_Question]]" = queue.SimpleQueue()
        self._threads = 0
        self._timer: Optional[asyncio.TimerHandle] = None

    async def memory_of(self, subjects: Iterable[Subject], patience: float) -> dict[int, Optional[Shares]]:
        """The memory of processes, by pid.

        :param patience: seconds. It is waited for as long as answers come, and twice that at most for the next one.
        :returns: what has come, None for a process that has gone; without those that the kernel holds a thread over.
        """
        asked = {pid: self._ask(pid, identity) for pid, identity in subjects if self.held_for(pid) < _LONG}
        waiting, before = _unanswered(asked.values()), len(asked) + 1
        while 0 < len(waiting) < before:
            before = len(waiting)
            await asyncio.wait(waiting, timeout=patience)
            waiting = _unanswered(asked.values())
        return {pid: question.answer.result() for pid, question in asked.items() if question.answer.done()}

    def held_for(self, pid: int) -> float:
        """How many seconds the kernel has kept a thread waiting over a process."""
        question = self._open.get(pid)
        return question.held_for if question is not None else 0.0

    def close(self) -> None:
        """Read no more; a thread that waits for the kernel is not waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _ in range(self._threads):
            self._asked.put(None)
        self._threads = 0

    def _ask(self, pid: int, identity: Optional[Identity]) -> _Question:
        question = self._open.get(pid)
        if question is None:
            question = self._open[pid] = _Question(pid, identity, self._loop.create_future())
            self._asked.put(question)
            if not self._threads:
                self._start_thread()
            if self._timer is None:
                self._timer = self._loop.call_later(_LONG / 2, self._look_after)
        return question

    def _look_after(self) -> None:
        """Let another thread go on with what waits behind processes that the kernel does not answer for."""
        held = sum(question.held_for >= _LONG for question in self._open.values())
        if held >= self._threads and len(self._open) > held and self._threads < _MOST_THREADS:
            self._start_thread()
        self._timer = self._loop.call_later(_LONG / 2, self._look_after) if self._open else None

    def _start_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._run, name="memory", daemon=True).start()

    def _answer(self, question: _Question, shares: Optional[Shares]) -> None:
        del self._open[question.pid]
        if not question.answer.done():
            question.answer.set_result(shares)

    # In a thread of its own

    def _run(self) -> None:
        while True:
            question = self._asked.get()
            if question is None:
                return
            question.since = time.monotonic()
            shares = self._read(question.pid, question.identity)
            try:
                self._loop.call_soon_threadsafe(self._answer, question, shares)
            except RuntimeError:  # the loop has been closed: everything ends
                return


def _unanswered(questions: Iterable[_Question]) -> "list[asyncio.Future[Optional[Shares]]]":
    """Those that may still be answered soon."""
    return [question.answer for question in questions if not question.answer.done() and question.held_for < _LONG]
