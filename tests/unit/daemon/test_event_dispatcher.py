"""Events of the pool and their effects: in order, each once, and the pool's next deadline is always waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

import pytest

from spawner.daemon.event_dispatcher import EventDispatcher


@dataclass(frozen=True)
class Told:
    """An effect."""

    name: str


class Loop:
    """Keeps the one timer that is set."""

    def __init__(self) -> None:
        self.timer: Optional[tuple[float, Callable[[], None]]] = None

    def call_at(self, when: float, action: Callable[[], None]) -> "Loop":
        assert self.timer is None, "one timer is enough"
        self.timer = (when, action)
        return self

    def cancel(self) -> None:
        self.timer = None

    def pass_time(self) -> None:
        """The timer's time has come."""
        assert self.timer is not None
        (_, action), self.timer = self.timer, None
        action()


class Pool:
    """Has effects and a deadline as a test says."""

    def __init__(self) -> None:
        self.effects: list[Told] = []
        self.deadline: Optional[float] = None
        self.ticks = 0

    def event(self, *names: Any) -> None:
        self.effects += [Told(name) for name in names[:-1]]

    def tick(self, now: float) -> None:
        self.ticks += 1

    def take_effects(self) -> list[Told]:
        taken, self.effects = self.effects, []
        return taken

    def next_deadline(self) -> Optional[float]:
        return self.deadline


class Scene:
    """A dispatcher and what was done."""

    def __init__(self) -> None:
        self.loop, self.pool = Loop(), Pool()
        self.done: list[str] = []
        loop: Any = self.loop
        pool: Any = self.pool
        self.dispatcher = EventDispatcher(loop, pool)
        self.dispatcher.connect({Told: self._carry_out}, lambda: self.done.append("before"), self._after)

    def _carry_out(self, effect: Told) -> None:
        self.done.append(effect.name)
        if effect.name == "asks":
            self.dispatcher.dispatch(self.pool.event, "asked")
        if effect.name == "fails":
            raise ZeroDivisionError

    def _after(self) -> None:
        self.done.append("after")

    def dispatch(self, *names: str) -> None:
        self.dispatcher.dispatch(self.pool.event, *names)


def test_effects_of_a_handler_s_own_event_come_after_those_that_wait_and_all_is_one_event() -> None:
    scene = Scene()
    scene.dispatch("asks", "waits")
    assert scene.done == ["asks", "waits", "asked", "after"]


def test_a_handler_with_a_defect_costs_its_own_effect_and_no_other() -> None:
    scene = Scene()
    with pytest.raises(ZeroDivisionError):
        scene.dispatch("one", "fails", "three")
    scene.dispatch("four")
    assert scene.done == ["one", "fails", "three", "four", "after"]


def test_the_next_deadline_is_waited_for_after_each_event_and_the_one_before_no_more() -> None:
    scene = Scene()
    for seconds in (100.0, 50.0, 200.0):
        scene.pool.deadline = time.monotonic() + seconds
        scene.dispatch()
        assert scene.loop.timer is not None
        assert scene.loop.timer[0] == scene.pool.deadline
    scene.pool.deadline = None
    scene.dispatch()
    assert scene.loop.timer is None


def test_what_is_due_is_looked_at_first_and_then_the_pool_acts() -> None:
    scene = Scene()
    scene.pool.deadline = time.monotonic() - 5.0
    scene.dispatch()
    assert scene.loop.timer is not None
    assert scene.loop.timer[0] > time.monotonic() - 1.0, "a deadline that has passed does not spin"
    scene.pool.deadline = None
    scene.done.clear()
    scene.loop.pass_time()
    assert (scene.done, scene.pool.ticks) == (["before", "after"], 1)


def test_after_the_end_nothing_is_waited_for() -> None:
    scene = Scene()
    scene.pool.deadline = time.monotonic() + 5.0
    scene.dispatch()
    scene.dispatcher.close()
    assert scene.loop.timer is None
