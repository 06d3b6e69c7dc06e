"""The heap of deadlines: it says what a scan of all of them would."""

from __future__ import annotations

import random

import pytest

from spawner.pool.deadlines import Deadlines


def test_the_earliest_deadline_is_next() -> None:
    deadlines = Deadlines()
    assert deadlines.next() is None
    for name, due in (("b", 5.0), ("a", 3.0), ("c", 4.0)):
        deadlines.set(name, due)
    assert deadlines.next() == 3.0


def test_a_deadline_that_is_moved_counts_where_it_is_now() -> None:
    deadlines = Deadlines()
    deadlines.set("a", 3.0)
    deadlines.set("b", 5.0)
    deadlines.set("a", 9.0)
    assert deadlines.next() == 5.0
    deadlines.set("a", 1.0)
    assert deadlines.next() == 1.0
    assert deadlines.take_passed(9.0) == ["a", "b"], "and but once"


def test_a_deadline_that_is_taken_back_is_none() -> None:
    deadlines = Deadlines()
    deadlines.set("a", 3.0)
    deadlines.set("a", None)
    deadlines.set("unknown", None)
    assert deadlines.next() is None
    assert deadlines.take_passed(10.0) == []


def test_those_that_have_passed_are_taken_in_their_order_and_the_others_stay() -> None:
    deadlines = Deadlines()
    for name, due in (("late", 9.0), ("second", 2.0), ("first", 1.0), ("now", 3.0)):
        deadlines.set(name, due)
    assert deadlines.take_passed(3.0) == ["first", "second", "now"]
    assert deadlines.next() == 9.0


def test_a_deadline_that_is_set_again_to_the_time_that_it_was_moved_from_counts() -> None:
    deadlines = Deadlines()
    for due in (3.0, 5.0, 3.0):
        deadlines.set("a", due)
    assert deadlines.take_passed(3.0) == ["a"]
    assert deadlines.take_passed(9.0) == []


def test_whatever_is_moved_in_whatever_order_it_says_what_a_scan_would() -> None:
    dice, deadlines, scanned = random.Random(7), Deadlines(), {}
    for _ in range(3000):
        name, due = "app %d" % dice.randrange(20), dice.choice([None, dice.random() * 100])
        deadlines.set(name, due)
        scanned.pop(name, None)
        if due is not None:
            scanned[name] = due
        assert deadlines.next() == min(scanned.values(), default=None)
        deadlines.check_invariants(scanned)
        if dice.random() < 0.05:
            now = dice.random() * 100
            passed = sorted((due, name) for name, due in scanned.items() if due <= now)
            assert deadlines.take_passed(now) == [name for _, name in passed]
            scanned = {name: due for name, due in scanned.items() if due > now}


def test_what_was_moved_often_does_not_pile_up() -> None:
    deadlines = Deadlines()
    for number in range(10_000):
        deadlines.set("app %d" % (number % 10), float(10_000 - number))
    assert len(deadlines._heap) < 100


def test_a_deadline_that_was_forgotten_is_found() -> None:
    deadlines = Deadlines()
    deadlines.set("a", 3.0)
    with pytest.raises(AssertionError, match="not moved along: .'b'."):
        deadlines.check_invariants({"a": 3.0, "b": 4.0})
