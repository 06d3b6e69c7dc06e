"""What is said of an app's import: each finding once until it changes, and not what the operator knows."""

from __future__ import annotations

import pytest

from spawner.processes.import_warnings import ImportWarning, ImportWarnings

THREAD = "thread:feed the thread 'feed' was started."
OTHER = "connection:[::1]:5432 a connection was opened."


def report(warnings: ImportWarnings, *values: str, known: str | None = None) -> tuple[ImportWarnings, list[str]]:
    """What one load more says."""
    after, new = warnings.loaded(1).reported(values, known)
    return after, [warning.name for warning in new]


def test_a_finding_is_said_once_over_any_number_of_loads() -> None:
    warnings, said = report(ImportWarnings(), THREAD, OTHER)
    assert said == ["thread:feed", "connection:[::1]:5432"]
    warnings, said = report(warnings, OTHER, THREAD)
    assert said == []


def test_a_finding_whose_text_changes_is_said_again() -> None:
    warnings, _ = report(ImportWarnings(), THREAD)
    assert report(warnings, THREAD + " Elsewhere.")[1] == ["thread:feed"]


def test_a_finding_that_goes_away_and_comes_back_is_said_again() -> None:
    warnings, _ = report(ImportWarnings(), THREAD)
    warnings, said = report(warnings)
    assert said == []
    assert report(warnings, THREAD)[1] == ["thread:feed"]


@pytest.mark.parametrize("known", ["thread:feed", "a thread:* b", "*"])
def test_what_the_operator_knows_is_not_said_and_counted_apart(known: str) -> None:
    warnings, said = report(ImportWarnings(), THREAD, known=known)
    assert said == []
    assert warnings.shown(known) == ([], [THREAD])
    assert warnings.shown(None) == ([THREAD], [])


@pytest.mark.parametrize("known", [None, "", "thread:fee", "hread:feed", "thread:feed2"])
def test_what_has_another_name_is_said(known: str | None) -> None:
    assert report(ImportWarnings(), THREAD, known=known)[1] == ["thread:feed"]


def test_a_name_with_brackets_is_known_by_itself() -> None:
    assert report(ImportWarnings(), OTHER, known="connection:[::1]:5432")[1] == []


def test_what_is_not_known_any_more_is_said_with_the_next_load() -> None:
    warnings, _ = report(ImportWarnings(), THREAD, known="thread:feed")
    assert report(warnings, THREAD)[1] == ["thread:feed"]


def test_the_findings_of_the_load_before_are_shown_until_a_worker_has_reported() -> None:
    warnings, _ = report(ImportWarnings(), THREAD)
    assert warnings.loaded(2).shown(None) == ([THREAD], [])
    assert warnings.loaded(2).awaited_generation == 2
    assert warnings.awaited_generation == 0


def test_the_next_spawner_knows_what_was_said_and_whose_report_is_awaited() -> None:
    warnings, _ = report(ImportWarnings(), THREAD, OTHER)
    for each in (warnings, warnings.loaded(7), ImportWarnings()):
        assert ImportWarnings.from_fields(each.to_fields()) == each


def test_the_next_spawner_repeats_nothing_of_what_a_record_has_no_room_for() -> None:
    values = ["thread:%d %s" % (number, "\u00e9" * 800) for number in range(50)]
    warnings, said = report(ImportWarnings(), *values)
    assert len(said) == 50
    fields = warnings.to_fields()
    assert sum(len(name) + len(value.encode()) for name, value in fields) < 10_000
    recovered = ImportWarnings.from_fields(fields)
    assert recovered.shown(None)[0][-1] == "more More warnings of this import stand in the log: 46"
    assert report(recovered, *values)[1] == []


def test_an_app_cannot_report_without_end() -> None:
    warnings, said = report(ImportWarnings(), *["n%d %s" % (number, "x" * 9000) for number in range(1000)])
    assert len(said) == 51
    assert all(len(warning.text) == 2000 for warning in warnings.found)
    assert len(ImportWarning.parse("n" * 9000).name) == 200
