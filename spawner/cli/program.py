"""What every program does with an output that is closed, fails, or lacks letters."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import click

from spawner.cli.errors import FAILED


class Program(click.Command):
    """A command that is started by a shell. Mixed into each of them, before click's own class."""

    def main(self, *arguments: Any, **extra: Any) -> Any:
        """Run it, and end the process.

        A closed output is as good as /dev/null. One that cannot be written ends with status 1 and the reason; where
        nobody reads on (`| head -1`), click ends it with 1 and without a word. Letters that the locale does not have
        are escaped: apps' errors and names may hold any.
        """
        _prepare_outputs()
        try:
            return super().main(*arguments, **extra)
        except OSError as error:
            _leave_output()
            click.echo("Error: The output cannot be written: %s" % (error.strerror or error), err=True)
            raise SystemExit(FAILED) from None


def _prepare_outputs() -> None:
    for name in ("stdout", "stderr"):
        output = getattr(sys, name)
        if output is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="backslashreplace")


def _leave_output() -> None:
    """What is still to be written shall not fail once more when Python ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


class ProgramGroup(Program, click.Group):
    """A program with subcommands."""
