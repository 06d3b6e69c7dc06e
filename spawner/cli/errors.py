"""What a command can fail with: one line for the user and an exit status (docs/status-json.md)."""

from __future__ import annotations

import click

NOTHING_RUNS = 1
NO_ANSWER = 2


class NoInstance(click.ClickException):
    """No instance runs, several run and none was named, or none has the name: exit status 1."""

    exit_code = NOTHING_RUNS


class NoAnswer(click.ClickException):
    """Access was denied, or the spawner did not answer as docs/protocol.md says: exit status 2."""

    exit_code = NO_ANSWER
