"""Why a command is not carried out; the admin socket turns these into answers, in one place."""

from __future__ import annotations

from spawner.errors import JumpseatError


class Refusal(JumpseatError):
    """A command that is not carried out: the message is for whoever asked.

    :cvar kind: how the protocol names it (docs/protocol.md, section 8).
    """

    kind = "failed"


class NotFound(Refusal):
    """No app or process of that name that the caller may know of: what others have is said to be absent, too."""

    kind = "not_found"


class Denied(Refusal):
    """Only root and the spawner's own user may do this."""

    kind = "denied"


class BadCommand(Refusal):
    """What was sent is no command, or its fields are not what the command takes."""

    kind = "bad_command"


class Failed(Refusal):
    """The command is right, and could not be carried out."""
