"""How these commands end when they are used wrongly: with status 1, as scripts for Passenger expect it."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

import click

from spawner.cli.program import Program, ProgramGroup

WRONG_USAGE = 1
STANDALONE_ABSENT = (
    "Passenger Standalone is not part of Jumpseat, which runs apps inside Apache: configure a VirtualHost "
    "with PassengerEnabled On, and see `jumpseat status`."
)


@contextlib.contextmanager
def _status_of_wrong_usage() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        error.show()
        raise click.exceptions.Exit(WRONG_USAGE) from None


class TwinCommand(Program):
    """A command that ends with 1 on wrong usage."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """Parse the command line.

        :raises click.exceptions.Exit: it is not understood.
        """
        with _status_of_wrong_usage():
            return super().make_context(*arguments, **extra)


class TwinGroup(ProgramGroup):
    """A group whose subcommands, of whatever class, do so, too."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """Parse the group's own options.

        :raises click.exceptions.Exit: they are not understood.
        """
        with _status_of_wrong_usage():
            return super().make_context(*arguments, **extra)

    def invoke(self, context: click.Context) -> Any:
        """Parse the rest, and run it.

        :raises click.exceptions.Exit: it is not understood.
        """
        with _status_of_wrong_usage():
            return super().invoke(context)


def refusal(name: str, reason: str) -> click.Command:
    """A command that only Passenger has. It takes any arguments and says what to use instead.

    :param reason: one or two sentences.
    """

    def refuse(words: tuple[str, ...]) -> None:
        raise click.ClickException(reason)

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED, metavar="...")],
        help=reason,
        short_help="(not available)",
        context_settings={"ignore_unknown_options": True},
    )
