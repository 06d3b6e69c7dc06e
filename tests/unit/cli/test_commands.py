"""The command line itself."""

from __future__ import annotations

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
