"""What a command can fail with: one line for the user and an exit status (docs/tools.md)."""

from __future__ import annotations

import click

FAILED = 1
NO_ANSWER = 2
NOT_IN_TIME = 3


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
