"""What people read: tables on narrow terminals, durations, sizes, foreign text."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.padding import Padding

from spawner.cli.console import PageTable, duration, megabytes, page_console, printable


def rendered(table: PageTable, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(Padding(table, (0, 0, 0, 2), expand=False))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def table() -> PageTable:
    table = PageTable(
        "PID", "Size", "Age", "App", numeric=("PID", "Size"), foldable=("App",), expendable=("Age", "Size")
    )
    table.add_row("1234567", "12.3 M", "1 min", "/srv/shop (production)")
    return table


def test_where_there_is_room_every_column_is_shown() -> None:
    assert rendered(table(), 60)[1].split() == "1234567 12.3 M 1 min /srv/shop (production)".split()


def test_where_there_is_none_columns_are_left_out_in_their_order() -> None:
    assert rendered(table(), 43)[0].split() == ["PID", "Size", "App"]
    assert rendered(table(), 33)[0].split() == ["PID", "App"]


def test_what_still_does_not_fit_goes_on_in_the_next_line() -> None:
    lines = rendered(table(), 24)
    assert lines[1].split() == ["1234567", "/srv/shop"]
    assert lines[2].split() == ["(production)"]


def test_no_number_is_ever_cut_short() -> None:
    for width in range(24, 61):
        assert "1234567" in rendered(table(), width)[1]
        assert "\u2026" not in "".join(rendered(table(), width))


def test_columns_that_are_left_out_last_are_so_only_where_folded_texts_are_not_enough() -> None:
    table = PageTable("PID", "Size", "App", numeric=("PID", "Size"), foldable=("App",), last=("Size",))
    table.add_row("1234567", "12.3 M", "/srv/shop (production)")
    assert rendered(table, 34)[0].split() == ["PID", "Size", "App"]
    assert rendered(table, 30)[0].split() == ["PID", "App"]


def test_no_color_takes_bold_and_dim_letters_away_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    output = Terminal()
    page_console(file=output).print("text", style="bold red")
    assert output.getvalue() == "text\n"


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("TERM", ""), ("NO_COLOR", "1")])
def test_colours_that_are_asked_for_come_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    output = io.StringIO()
    page_console(force_colors=True, file=output).print("text", style="red")
    assert output.getvalue() == "\x1b[31mtext\x1b[0m\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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
