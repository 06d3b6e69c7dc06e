"""docs/log-messages.md: what is found in the sources, and what is said about it."""

from __future__ import annotations

import re
from pathlib import Path

from apache_module import render_log_messages
from apache_module.generate import CHECKOUT
from apache_module.log_lines import LogLine, lines_of_c, lines_of_python
from apache_module.log_remedies import REMEDIES

LINES = render_log_messages.lines(CHECKOUT)


def test_every_number_of_the_c_sources_has_a_line() -> None:
    sources = "".join(path.read_text() for path in (CHECKOUT / "apache_module/src").rglob("*.c"))
    numbers = {int(number) for number in re.findall(r"PSGLOGNO\((\d+)\)", sources)}
    assert {line.number for line in LINES if line.number < 3000} == numbers


def test_every_number_that_the_docs_name_is_one_that_is_logged() -> None:
    pages = "".join(path.read_text() for path in (CHECKOUT / "docs").glob("*.md"))
    assert {int(number) for number in re.findall(r"\bJS(\d{4})\b", pages)} - {line.number for line in LINES} == set()


def test_a_line_has_a_level() -> None:
    assert [line for line in LINES if not line.level] == []


def test_a_line_begins_with_a_small_letter_or_a_name() -> None:
    names = re.compile("Passenger[A-Z]|ErrorLog ")
    assert [line for line in LINES if line.text[0].isupper() and not names.match(line.text)] == []


def test_a_line_whose_words_only_a_run_can_tell_has_a_remedy() -> None:
    silent = [line.number for line in LINES if not re.search(r"\w{3}", line.text)]
    assert [number for number in silent if number not in REMEDIES] == []


def test_a_remedy_is_for_a_number_that_is_logged() -> None:
    assert set(REMEDIES) - {line.number for line in LINES} == set()


def test_no_number_is_used_twice() -> None:
    numbers = [line.number for line in LINES]
    assert [number for number in numbers if numbers.count(number) > 1] == []


def test_a_text_of_c_is_put_together_from_literals_and_format_macros(tmp_path: Path) -> None:
    (tmp_path / "one.c").write_text(
        "ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,\n"
        'PSGLOGNO(2001) "a \\"word\\" and %" APR_INT64_T_FMT " bytes "\n'
        '"of %s", word(1), n);'
    )
    assert list(lines_of_c(tmp_path)) == [LogLine(2001, "warn", 'a "word" and … bytes of …')]


def test_a_text_of_python_is_what_its_name_was_set_to_last(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        'def one(log):\n    text = "first"\n    log.warn(3001, text)\n    text = "second %s"\n'
        '    log.write("error", 3002, text % 1)\n'
    )
    assert list(lines_of_python(tmp_path)) == [
        LogLine(3001, "warn", "first"),
        LogLine(3002, "error", "second …"),
    ]
