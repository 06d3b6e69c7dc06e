"""Waiting for an event with a deadline: the only way in which these tests let time pass."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

Value = TypeVar("Value")

#: Seconds. Generous: a deadline is there to end a test that has failed, not to measure.
TIMEOUT = 30.0
PAUSE = 0.01


class DeadlinePassed(AssertionError):
    """What was awaited did not come in time."""


def eventually(probe: Callable[[], Value], what: str | Callable[[], str], seconds: float = TIMEOUT) -> Value:
    """Call `probe` until it answers something true, and return that.

    Raises DeadlinePassed, naming `what` (a text, or what gives it then) and the last answer, after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            words = what if isinstance(what, str) else what()
            raise DeadlinePassed(f"waited {seconds:g} s for {words}; last seen: {value!r}")
        time.sleep(PAUSE)


def remains_true(probe: Callable[[], bool], what: str, seconds: float) -> None:
    """Check that `probe` stays true for `seconds`; for what must *not* happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert probe(), f"ended before {seconds:g} s had passed: {what}"
        time.sleep(PAUSE)
