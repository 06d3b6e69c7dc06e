"""How a program ends whose output cannot be written."""

from __future__ import annotations

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
        nobody reads on (`| head -1`), click ends it with 1 and without a word.
        """
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        try:
            return super().main(*arguments, **extra)
        except OSError as error:
            _leave_output()
            click.echo("Error: The output cannot be written: %s" % (error.strerror or error), err=True)
            raise SystemExit(FAILED) from None


def _leave_output() -> None:
    """What is still to be written shall not fail once more when Python ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


class ProgramGroup(Program, click.Group):
    """A program with subcommands."""
