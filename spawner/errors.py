"""Errors, typed by whose fault they are; each kind is turned into an answer in one place only."""

from __future__ import annotations

import secrets

from spawner.shared.constants import ERROR_ID_LENGTH


class JumpseatError(Exception):
    """Base of every error that this project raises on purpose."""


class OperatorError(JumpseatError):
    """The configuration or the machine is at fault: the message names the file, directive or folder and the remedy."""


class PeerError(JumpseatError):
    """The other end of a line sent what the protocol does not allow (docs/protocol.md)."""


class InternalError(JumpseatError):
    """A defect of ours."""


class IllegalTransition(InternalError):
    """An event came in a state that has no row for it.

    :param machine: what has the state, for the message.
    :param state: the state it was in.
    :param event: the event that came.
    """

    def __init__(self, machine: str, state: object, event: object) -> None:
        super().__init__("%s: event %s is not possible in state %s" % (machine, event, state))
        self.state = state
        self.event = event


def new_error_id() -> str:
    """Eight hex digits that connect an error page with the log."""
    return secrets.token_hex(ERROR_ID_LENGTH // 2)
