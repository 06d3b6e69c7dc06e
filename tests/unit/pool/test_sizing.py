"""How many workers an app is to have, by itself."""

from __future__ import annotations

import pytest

from spawner.pool.sizing import FULL_LOOKS, Sizing


def sized(target: int) -> Sizing:
    """An app that is to have so many."""
    sizing = Sizing()
    sizing.raise_to(target)
    return sizing


@pytest.mark.parametrize(("cap", "minimum", "target"), [(6, 2, 2), (6, 0, 1), (2, 5, 2)])
def test_an_app_begins_with_its_minimum_within_the_cap_and_with_one_in_any_case(
    cap: int, minimum: int, target: int
) -> None:
    sizing = Sizing()
    sizing.begin(cap, minimum)
    assert sizing.target == target


def test_an_app_that_has_workers_keeps_its_minimum_and_one_that_has_none_gets_none() -> None:
    small, cold = sized(1), sized(0)
    for sizing in (small, cold):
        sizing.keep_at_least(6, 3)
    assert (small.target, cold.target) == (3, 0)
    large = sized(5)
    large.keep_at_least(6, 3)
    assert large.target == 5


def test_growth_needs_looks_in_a_row() -> None:
    sizing = sized(1)
    shown = [sizing.note_look(full) for full in (True, False, *([True] * FULL_LOOKS))]
    assert shown == [False] * (len(shown) - 1) + [True]
    sizing.grow(active=1)
    assert sizing.target == 2
    assert not sizing.note_look(True), "it has to be seen anew for the next one"


def test_an_app_grows_from_what_it_has_and_not_from_what_it_wished_for() -> None:
    sizing = sized(5)
    sizing.grow(active=2)
    assert sizing.target == 3


def test_the_one_more_of_a_replacement_is_not_kept() -> None:
    sizing = sized(2)
    assert sizing.kept(active=3) == 2
    sizing.grow(active=3)
    assert sizing.target == 3


@pytest.mark.parametrize(("target", "active", "left"), [(3, 3, 2), (3, 1, 0), (2, 3, 1), (0, 0, 0)])
def test_an_app_that_gives_one_up_wants_one_fewer_than_it_holds_and_never_fewer_than_none(
    target: int, active: int, left: int
) -> None:
    sizing = sized(target)
    sizing.shrink(active)
    assert sizing.target == left


def test_a_limit_lowers_the_target_and_never_raises_it() -> None:
    sizing = sized(2)
    sizing.limit(3)
    assert sizing.target == 2
    sizing.limit(1)
    assert sizing.target == 1


def test_what_is_more_than_the_target_is_surplus_and_starts_may_have_one_more_meanwhile() -> None:
    sizing = sized(2)
    assert [sizing.surplus(serving) for serving in (1, 2, 4)] == [0, 0, 2]
    assert [sizing.surplus_of_starts(active, one_more=1) for active in (2, 3, 5)] == [0, 0, 2]


def test_another_spawner_goes_on_with_what_serves_and_with_the_minimum_at_least() -> None:
    sizing = Sizing()
    sizing.resume(serving=3, minimum=1)
    assert sizing.target == 3
    sizing.resume(serving=0, minimum=1)
    assert sizing.target == 1


def test_nobody_else_writes_the_target() -> None:
    with pytest.raises(AttributeError):
        Sizing().target = 3  # type: ignore[misc]
