"""The command line itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from spawner.cli.main import jumpseat
from spawner.version import VERSION


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(jumpseat, ["--version"]).output == "jumpseat, version %s\n" % VERSION


def test_help_names_every_command() -> None:
    output = CliRunner().invoke(jumpseat, ["--help"]).output
    for name in jumpseat.commands:
        assert name in output


def test_an_unknown_command_is_wrong_usage() -> None:
    result = CliRunner().invoke(jumpseat, ["dance"])
    assert result.exit_code == 2
    assert "dance" in result.output


@pytest.mark.parametrize(
    "before", [["--registry", "FOLDER"], ["--registry=FOLDER"], ["--json", "--registry", "FOLDER"]], ids=" ".join
)
def test_options_of_a_command_may_stand_before_its_name(tmp_path: Path, before: list[str]) -> None:
    before = [word.replace("FOLDER", str(tmp_path)) for word in before]
    first, second = (
        CliRunner().invoke(jumpseat, words) for words in ([*before, "list-instances"], ["list-instances", *before])
    )
    assert (first.output, first.exit_code) == (second.output, second.exit_code)
    assert "No such option" not in first.output


@pytest.mark.parametrize("words", [["--dance", "status"], ["--registry", "/x", "dance"], ["--registry", "/x"]])
def test_an_option_before_a_name_is_wrong_usage_where_nothing_has_it(words: list[str]) -> None:
    result = CliRunner().invoke(jumpseat, words)
    assert result.exit_code == 2
    assert "No such option" in result.output


def test_an_option_before_a_command_that_lacks_it_is_wrong_usage() -> None:
    result = CliRunner().invoke(jumpseat, ["--registry", "/x", "about"])
    assert result.exit_code == 2
    assert "No such option '--registry'" in result.output
