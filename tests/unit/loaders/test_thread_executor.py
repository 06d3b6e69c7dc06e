"""The threads of a worker in this process: no end of a request is missed, wherever in the code it comes."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, Callable, Optional

import pytest

from spawner.loaders.python.executors import thread_executor
from spawner.loaders.python.executors.thread_executor import ThreadExecutor
from spawner.loaders.python.wsgi import handler


class Slot:
    """A scoreboard slot that only counts."""

    def __init__(self) -> None:
        self.started = 0

    def cell_of(self, number: int) -> None:
        """No cell is needed."""

    def request_started(self) -> None:
        self.started += 1

    def request_finished(self, served: bool) -> None:
        """Nobody looks."""


class IdleThread:
    """A thread of the executor that does nothing by itself: a test says when it has handled its connection."""

    def __init__(self, executor: ThreadExecutor, number: int, cell: object) -> None:
        self.given: list[object] = []

    def give(self, connection: object, was_queued: bool, may_keep: bool) -> None:
        self.given.append(connection)


class Scene:
    """An executor with two threads."""

    def __init__(self) -> None:
        self.wakes = 0
        self.turned_away = 0
        unused: Any = None
        self.slot: Any = Slot()
        self.done: list[str] = []  # with connections
        listeners: Any = SimpleNamespace(
            prefer_other_workers=self._prefer_others,
            keep=lambda connection: self.done.append("kept"),
            close=lambda connection: self.done.append("closed"),
        )
        self.executor = ThreadExecutor(2, self.slot, unused, unused, 5, self._wake, listeners, b"end")
        self.threads = list(self.executor._idle)

    def _wake(self) -> None:
        self.wakes += 1

    def _prefer_others(self) -> None:
        self.turned_away += 1

    def busy(self, count: int) -> list[Any]:
        """Give so many threads a connection."""
        unused: Any = None
        for _ in range(count):
            self.executor.execute(unused, False, False)
        return [thread for thread in self.threads if thread not in self.executor._idle]

    def end(self) -> None:
        """The request of one busy thread ends."""
        busy: Any = next(thread for thread in self.threads if thread not in self.executor._idle)
        self.executor.thread_idle(busy, True)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(thread_executor, "_Thread", IdleThread)
    return Scene()


def lines_of(function: Callable[..., object]) -> int:
    """How many lines of a method there may be to stop at."""
    return len(list(function.__code__.co_lines())) + 1


def interrupted(function: Callable[[], Any], code: object, line: int, action: Callable[[], None]) -> Any:
    """The result of a call during which another thread does something, just before the n-th line of the code."""
    count = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal count
        if frame.f_code is not code:
            return None
        if event == "line":
            if count == line:
                sys.settrace(None)
                action()
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return function()
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("line", range(lines_of(ThreadExecutor.has_capacity)))
def test_a_request_that_ends_while_the_main_thread_looks_for_room_gives_it_room_or_wakes_it(
    scene: Scene, line: int
) -> None:
    scene.busy(2)
    code = ThreadExecutor.has_capacity.__code__
    has_room = interrupted(scene.executor.has_capacity, code, line, scene.end)
    if not scene.executor._idle:  # there are fewer lines
        scene.end()
    assert has_room or scene.wakes


@pytest.mark.parametrize("line", range(lines_of(ThreadExecutor.thread_idle)))
def test_the_main_thread_that_looks_for_room_while_a_request_ends_finds_it_or_is_woken(scene: Scene, line: int) -> None:
    scene.busy(2)
    found: list[bool] = []
    code = ThreadExecutor.thread_idle.__code__
    interrupted(scene.end, code, line, lambda: found.append(scene.executor.has_capacity()))
    assert True in (found or [scene.executor.has_capacity()]) or scene.wakes


@pytest.mark.parametrize("line", range(lines_of(ThreadExecutor.is_busy)))
def test_a_worker_that_is_to_end_is_woken_by_the_end_of_its_last_request_or_sees_it(scene: Scene, line: int) -> None:
    scene.busy(1)
    code = ThreadExecutor.is_busy.__code__
    busy = interrupted(scene.executor.is_busy, code, line, scene.end)
    if len(scene.executor._idle) < 2:
        scene.end()
    assert not busy or scene.wakes


def test_a_worker_with_room_is_not_woken_by_each_request_that_ends(scene: Scene) -> None:
    scene.busy(1)
    assert scene.executor.has_capacity()
    scene.end()
    assert scene.wakes == 0


def test_only_a_worker_that_has_a_request_leaves_the_next_one_to_others(scene: Scene) -> None:
    scene.busy(1)
    assert scene.turned_away == 0
    scene.busy(1)
    assert scene.turned_away == 1


def test_the_worker_looks_up_when_its_last_thread_is_given_a_request_and_at_its_limit(scene: Scene) -> None:
    unused: Any = None
    looks = [scene.executor.execute(unused, False, False) for _ in range(2)]
    assert looks == [False, True]
    for _ in range(2):
        scene.end()
    scene.slot.started = 4
    assert scene.executor.execute(unused, False, False), "the fifth request is the last one"


def test_a_thread_finds_its_connection_as_soon_as_it_is_woken() -> None:
    thread: Any = object.__new__(thread_executor._Thread)
    found: list[tuple[str, bool, bool]] = []
    thread._has_connection = SimpleNamespace(
        release=lambda: found.append((thread._connection, thread._was_queued, thread._may_keep))
    )
    thread.give("connection", True, False)
    assert found == [("connection", True, False)]


class Failing(BaseException):
    """What nothing expects."""


@pytest.mark.parametrize(
    ("outcome", "done"),
    [
        (None, ["internal error in a request", "cleared", "closed"]),
        (handler.SERVED, ["cleared", "closed"]),
        (handler.SERVED | handler.KEPT, ["cleared", "kept"]),
        (0, ["cleared", "closed"]),
    ],
)
def test_a_connection_is_closed_or_kept_and_its_request_shown_no_more_whatever_has_happened(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, outcome: Optional[int], done: list[str]
) -> None:
    def handle(*_: object) -> int:
        if outcome is None:
            raise Failing
        return outcome

    monkeypatch.setattr(thread_executor.handler, "handle", handle)
    monkeypatch.setattr(thread_executor.error_log, "log_internal_error", lambda text, error: scene.done.append(text))
    unused: Any = None
    cell: Any = SimpleNamespace(clear=lambda: scene.done.append("cleared"))
    assert scene.executor.handle(unused, cell, False, True) == (outcome != 0)
    assert scene.done == done
