"""Durations, sizes and foreign text in the output."""

from __future__ import annotations

import pytest

from spawner.cli.units import duration, megabytes, printable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1.0, "0 s"),
        (59.9, "59 s"),
        (60.0, "1 min"),
        (200.0, "3 min 20 s"),
        (3600.0, "1 h"),
        (18120.0, "5 h 2 min"),
        (90000.0, "1 d 1 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_memory_is_told_in_megabytes_or_as_unknown() -> None:
    assert megabytes(31457280) == "30.0 M"
    assert megabytes(None) == "-"


def test_control_characters_are_replaced_but_lines_stay_lines() -> None:
    assert printable("a\x1b[0m\r\nb\tc\x9b").replace("\N{REPLACEMENT CHARACTER}", "?") == "a?[0m?\nb\tc?"
