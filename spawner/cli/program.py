"""How a program ends: exit statuses, errors in one line, an output that cannot be written, wrong usage."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, Iterator

import click

# Exit statuses (docs/tools.md). Click ends with 2 on wrong usage.
FAILED = 1
NO_ANSWER = 2
NOT_IN_TIME = 3
PASSENGER_WRONG_USAGE = 1  # of the programs with Passenger's names, as scripts for Passenger expect it

STANDALONE_ABSENT = (
    "Passenger Standalone is not part of Jumpseat, which runs apps inside Apache: configure a VirtualHost "
    "with PassengerEnabled On, and see `jumpseat status`."
)


class CommandFailed(click.ClickException):
    """What was asked for could not be done: exit status 1."""

    exit_code = FAILED


class NoInstance(CommandFailed):
    """No instance runs, or none has the name: exit status 1."""


class SeveralInstances(CommandFailed):
    """Several instances run and none was named: exit status 1."""


class NoSuchApp(CommandFailed):
    """No app or process of that name is known, or it is another user's: exit status 1."""


class NoAnswer(click.ClickException):
    """Access was denied, or the spawner did not answer as docs/protocol.md says: exit status 2."""

    exit_code = NO_ANSWER


class NotInTime(click.ClickException):
    """What was waited for has not come to an end yet: exit status 3."""

    exit_code = NOT_IN_TIME


class Program(click.Command):
    """A command that a shell starts."""

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
    """Send the rest of the output to /dev/null, so that it does not fail once more when Python ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


class ProgramGroup(Program, click.Group):
    """A program with subcommands. A subcommand's options may also stand before its name."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Parse the group's own options; those of the subcommand are moved behind its name."""
        own = {name for param in self.get_params(context) for name in param.opts}
        end = 0
        while end < len(args) and args[end].startswith("--") and args[end].partition("=")[0] not in own:
            end += 2 if self._takes_next(args[end]) else 1
        if 0 < end < len(args) and args[end] in self.commands:
            args = [args[end], *args[:end], *args[end + 1 :]]
        return super().parse_args(context, args)

    def _takes_next(self, text: str) -> bool:
        """Whether the value of an option of some subcommand is the next argument."""
        params = [param for command in self.commands.values() for param in command.params if text in param.opts]
        return any(isinstance(param, click.Option) and not param.is_flag for param in params)


@contextlib.contextmanager
def _status_of_wrong_usage() -> Iterator[None]:
    """Ends wrong usage with Passenger's status instead of click's."""
    try:
        yield
    except click.UsageError as error:
        error.show()
        raise click.exceptions.Exit(PASSENGER_WRONG_USAGE) from None


class PassengerCommand(Program):
    """A program with a Passenger name: it ends with 1 on wrong usage."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """Parse the command line.

        :raises click.exceptions.Exit: it is not understood.
        """
        with _status_of_wrong_usage():
            return super().make_context(*arguments, **extra)


class PassengerCommandGroup(ProgramGroup):
    """A group with a Passenger name: it and its subcommands, of whatever class, end with 1 on wrong usage."""

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


def unavailable(name: str, reason: str) -> click.Command:
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
