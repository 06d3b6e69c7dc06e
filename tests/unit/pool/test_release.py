"""The generations of an app, by themselves: who serves, who is next, what is pinned, which restart answers."""

from __future__ import annotations

import pytest

from spawner.pool.effects import NoteDeployment, Outbox, Progress
from spawner.pool.release import MAX_START_OVERS, QueuedRestart, Release
from spawner.start_failure import StartFailure

FAILURE = StartFailure("import the app", "ImportError: no module", error_id="00000000")


def stages(outbox: Outbox) -> list[tuple[int, str]]:
    """What was told since the last look: the generation and the stage."""
    return [(told.generation, told.stage) for told in outbox.take() if isinstance(told, Progress)]


def serving_with_next(outbox: Outbox) -> Release:
    """The first generation serves, and a rolling restart loads the second."""
    release = Release("app", outbox)
    release.worker_accepts(1, serving=1, now=0.0)
    release.begin(1.0, total=2, unproven=False)
    release.load_beside(drain_until=100.0)
    outbox.take()
    return release


def test_the_next_generation_is_wanted_and_the_current_one_serves_until_a_worker_of_the_next_accepts() -> None:
    release = serving_with_next(Outbox())
    assert (release.current, release.next, release.wanted) == (1, 2, 2)
    assert release.worker_accepts(2, serving=1, now=5.0)
    assert (release.current, release.next, release.wanted, release.last_good) == (2, None, 2, 2)
    assert release.drain_until == 7.0


def test_a_worker_of_the_current_generation_promotes_nothing() -> None:
    release = serving_with_next(Outbox())
    assert not release.worker_accepts(1, serving=0, now=5.0)
    assert (release.current, release.next) == (1, 2)


def test_each_worker_of_a_restart_is_told_and_never_more_than_it_was_to_bring_up() -> None:
    outbox = Outbox()
    release = serving_with_next(outbox)
    for serving in (1, 2, 3):
        release.worker_accepts(2, serving, now=5.0)
    assert [(told.done, told.total) for told in outbox.take() if isinstance(told, Progress)] == [(1, 2), (2, 2), (2, 2)]


def test_the_first_worker_of_a_generation_takes_back_what_was_written_of_a_failure_and_only_the_first() -> None:
    outbox = Outbox()
    release = serving_with_next(outbox)
    for _ in range(2):
        release.worker_accepts(2, 1, now=5.0)
    assert [note for note in outbox.take() if isinstance(note, NoteDeployment)] == [NoteDeployment("app", 2, None)]


def test_a_generation_that_fails_pins_the_current_one_and_the_newest_that_failed_is_shown() -> None:
    release = serving_with_next(Outbox())
    assert release.pin(FAILURE, now=9.0) == 2
    assert (release.current, release.next) == (1, None)
    release.begin(10.0, total=1, unproven=False)
    release.load_beside(drain_until=0.0)
    release.pin(FAILURE, now=11.0)
    assert release.pinned is not None
    assert (release.pinned.generation, release.pinned.since) == (3, 11.0)


def test_a_worker_of_a_generation_that_is_not_older_than_the_failed_one_unpins() -> None:
    release = serving_with_next(Outbox())
    release.pin(FAILURE, now=9.0)
    release.worker_accepts(1, 1, now=10.0)
    assert release.pinned is not None
    release.begin(10.0, total=1, unproven=False)
    release.load_beside(drain_until=0.0)
    release.worker_accepts(3, 1, now=12.0)
    assert release.pinned is None


def test_a_release_that_is_lost_while_pinned_gives_way_to_the_newest_code() -> None:
    release = serving_with_next(Outbox())
    release.pin(FAILURE, now=9.0)
    release.unpin()
    assert (release.current, release.pinned) == (2, None)


def test_a_release_that_is_lost_while_a_newer_one_loads_leaves_that_one_to_load() -> None:
    release = serving_with_next(Outbox())
    release.pin(FAILURE, now=9.0)
    release.begin(10.0, total=1, unproven=False)
    release.load_beside(drain_until=0.0)
    release.unpin()
    assert (release.current, release.next, release.pinned) == (1, 3, None)


def test_a_restart_ends_once_whatever_comes_first() -> None:
    outbox = Outbox()
    release = serving_with_next(outbox)
    release.worker_accepts(2, 1, now=5.0)
    release.complete()
    release.complete()
    release.fail(FAILURE)
    assert stages(outbox) == [(2, "replacing"), (2, "completed")]
    assert release.restart is None


def test_a_newer_restart_supersedes_the_one_under_way() -> None:
    outbox = Outbox()
    release = serving_with_next(outbox)
    release.begin(2.0, total=1, unproven=True)
    assert stages(outbox) == [(2, "superseded"), (3, "loading")]


def test_restarts_that_drop_what_is_loading_are_queued_after_some_until_a_generation_comes_up() -> None:
    release = Release("app", Outbox())
    for _ in range(MAX_START_OVERS):
        assert not release.must_queue(unproven=True)
        release.begin(0.0, total=1, unproven=True)
    assert release.must_queue(unproven=True)
    assert not release.must_queue(unproven=False)
    release.starts_succeed()
    assert not release.must_queue(unproven=True)


def test_all_who_ask_while_a_restart_is_queued_are_answered_by_one_generation() -> None:
    outbox = Outbox()
    release = serving_with_next(outbox)
    assert release.queue("blocking", start_if_cold=True) == 3
    assert release.queue(None, start_if_cold=False) == 3
    assert release.queued == QueuedRestart(None, True), "the last method, and started if anybody has asked for it"
    assert release.generation_to_store == 3
    release.fail(FAILURE)
    assert stages(outbox) == [], "the queued one takes over: nothing has failed yet"
    release.start_queued(9.0, total=1)
    assert stages(outbox) == [(2, "superseded"), (3, "loading")]
    assert (release.queued, release.newest, release.generation_to_store) == (None, 3, 3)


def test_a_restart_with_fewer_workers_says_how_many_came_up() -> None:
    outbox = Outbox()
    release = serving_with_next(outbox)
    release.worker_accepts(2, 1, now=5.0)
    outbox.take()
    release.complete_with_fewer(FAILURE)
    (told,) = outbox.take()
    assert isinstance(told, Progress)
    assert told.failure is not None
    assert told.failure.summary == "only 1 of 2 workers came up: ImportError: no module"


def test_what_a_new_generation_had_brought_up_can_be_lost_and_the_older_serves_again() -> None:
    release = serving_with_next(Outbox())
    release.worker_accepts(2, 1, now=5.0)
    release.fall_back(1)
    assert (release.current, release.next) == (1, 2)


def test_the_next_generation_takes_the_place_of_one_that_is_lost_though_it_has_not_come_up() -> None:
    release = serving_with_next(Outbox())
    release.drop_current()
    assert (release.current, release.next, release.last_good) == (2, None, 1)
    release.drop_current()
    assert release.current == 2, "with none that is next there is nothing to take its place"


@pytest.mark.parametrize(
    ("found", "serving", "tries_next", "expected"),
    [
        ([1, 1], [1], True, (1, None)),
        ([1, 2], [1], True, (1, 2)),
        ([1, 2], [1], False, (1, None)),
        ([1, 2], [1, 2], True, (2, None)),
        ([1, 4], [1, 3], True, (3, 4)),
    ],
)
def test_another_spawner_goes_on_with_the_newest_generation_that_serves(
    found: list[int], serving: list[int], tries_next: bool, expected: tuple[int, int]
) -> None:
    release = Release("app", Outbox())
    release.resume_serving(found, serving, tries_next)
    assert (release.current, release.next) == expected


def test_another_spawner_does_not_try_a_generation_again_that_has_failed() -> None:
    failed = serving_with_next(Outbox())
    failed.pin(FAILURE, now=9.0)
    release = Release("app", Outbox(), generation=2, pinned=failed.pinned)
    release.resume_serving([1], [1], tries_next=True)
    assert (release.current, release.next, release.newest) == (1, None, 2)


@pytest.mark.parametrize(("ready", "expected", "pinned"), [([1], 1, True), ([], 2, False), ([2], 2, False)])
def test_without_a_worker_a_pinned_release_goes_on_if_a_preloader_has_it(
    ready: list[int], expected: int, pinned: bool
) -> None:
    failed = serving_with_next(Outbox())
    failed.pin(FAILURE, now=9.0)
    release = Release("app", Outbox(), generation=2, pinned=failed.pinned)
    release.resume_idle(ready, ready)
    assert (release.current, release.pinned is not None) == (expected, pinned)


def test_whoever_waits_for_a_restart_is_told_when_the_group_ends() -> None:
    outbox = Outbox()
    release = serving_with_next(outbox)
    release.close()
    assert stages(outbox) == [(2, "failed")]
    assert (release.next, release.restart) == (None, None)


@pytest.mark.parametrize("name", ["current", "next", "newest", "last_good", "pinned", "restart", "queued"])
def test_nobody_else_writes_what_a_release_knows(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Release("app", Outbox()), name, None)


def test_a_pinned_release_that_is_not_older_than_the_failed_one_is_found() -> None:
    release = serving_with_next(Outbox())
    release.pin(FAILURE, now=9.0)
    release.check_invariants()
    release.keep(2)
    with pytest.raises(AssertionError, match="pinned, and what has failed serves"):
        release.check_invariants()
