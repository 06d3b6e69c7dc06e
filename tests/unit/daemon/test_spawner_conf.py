"""spawner.conf."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spawner import spawner_conf
from spawner.spawner_conf import SpawnerConfError, load

SHIPPED = spawner_conf.CONFIGSPEC.with_name("spawner.conf")


def written(folder: Path, text: str) -> str:
    path = folder / "spawner.conf"
    path.write_text(text)
    return str(path)


def test_without_a_file_everything_has_its_default() -> None:
    assert load("").active_interval == 0.05
    assert load("").accept_plain_scgi is False


def test_the_shipped_file_changes_nothing_and_shows_the_defaults(tmp_path: Path) -> None:
    assert load(str(SHIPPED)) == load("")
    uncommented = re.sub(r"^# (\w+ = )", r"\1", SHIPPED.read_text(), flags=re.MULTILINE)
    assert uncommented.count(" = ") == len(load("").__dataclass_fields__)
    assert load(written(tmp_path, uncommented)) == load("")


def test_values_are_taken_over(tmp_path: Path) -> None:
    found = load(written(tmp_path, "[apps]\naccept_plain_scgi = yes\n[times]\nshutdown_grace = 0.5\n"))
    assert (found.accept_plain_scgi, found.shutdown_grace) == (True, 0.5)


@pytest.mark.parametrize(
    ("value", "found"), [("", []), (",", []), ("frames", ["frames"]), ("frames, body-file", ["frames", "body-file"])]
)
def test_capabilities_can_be_switched_off(tmp_path: Path, value: str, found: list[str]) -> None:
    path = written(tmp_path, "[apps]\ndisabled_capabilities = %s\n" % value)
    assert load(path).disabled_capabilities == frozenset(found)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[sampling]\nactive_intervall = 1\n", "[sampling] active_intervall: there is no such setting"),
        ("[sampler]\nx = 1\n", "sampler: there is no such setting"),
        ("line_length = 4000\n", "line_length: there is no such setting"),
        ("[output]\nline_length = long\n", '[output] line_length: the value "long" is of the wrong type'),
        ("[output]\nline_length = 1\n", '[output] line_length: the value "1" is too small'),
        ("[apps]\naccept_plain_scgi = perhaps\n", "[apps] accept_plain_scgi"),
        ("[apps]\ndisabled_capabilities = http,\n", "disabled_capabilities: http cannot be switched off"),
        ("[apps]\ndisabled_capabilities = frames, smoke\n", "disabled_capabilities: there is no capability smoke"),
        ("[output\n", "line 1"),
    ],
)
def test_what_is_wrong_is_named_with_file_section_and_key(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SpawnerConfError) as caught:
        load(path)
    assert named in str(caught.value)
    assert path in str(caught.value)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpawnerConfError) as caught:
        load(written(tmp_path, "[output]\nline_length = x\nlines = 1\n[times]\nshutdown_grace = y\n"))
    assert len(str(caught.value).splitlines()) == 3


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpawnerConfError, match="missing.conf"):
        load(str(tmp_path / "missing.conf"))


def test_a_grace_for_which_httpd_does_not_wait_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SpawnerConfError, match=r"\[times\] shutdown_grace: 6.5 is more than 6: httpd itself waits 8"):
        load(written(tmp_path, "[times]\nshutdown_grace = 6.5\n"))
    assert load(written(tmp_path, "[times]\nshutdown_grace = 6\n")).shutdown_grace == 6
