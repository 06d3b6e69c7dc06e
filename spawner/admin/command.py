"""What a command of the admin socket is: who sends it, its arguments, and why it may be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Optional, Protocol, Sequence

from spawner.errors import JumpseatError

# A command as it came: one JSON object. Its fields are checked by the functions below only.
Arguments = dict[str, Any]
# Sends one line of progress, and waits until the client has taken it.
SendProgress = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Caller:
    """The user at the other end of a connection, as the kernel says (SO_PEERCRED, unix(7)).

    :ivar privileged: root or the spawner's own user, who may see and control every app. Other users: the apps that run
        as them.
    """

    uid: int
    privileged: bool

    def may_use(self, owner: int) -> bool:
        """Whether the caller may see and control an app that runs as this user."""
        return self.privileged or owner == self.uid


class Command(Protocol):
    """One command."""

    async def run(self, arguments: Arguments, caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """The fields of the answer, without `ok`. Cancelled when the caller leaves; that undoes nothing.

        :raises Refusal: what is asked for is not possible, not there, or not the caller's.
        """


class Refusal(JumpseatError):
    """A command that is not carried out: the message is for the caller. AdminSocket turns it into an answer.

    :cvar kind: its name in the protocol (docs/protocol.md, section 8).
    """

    kind = "failed"


class NotFound(Refusal):
    """There is no such app or process, or it is another user's: the answer is the same."""

    kind = "not_found"


class Denied(Refusal):
    """Only root and the spawner's own user may do this."""

    kind = "denied"


class BadCommand(Refusal):
    """What was sent is no command, or its arguments are wrong."""

    kind = "bad_command"


class Failed(Refusal):
    """The command is right, but could not be carried out."""


def text_argument(arguments: Arguments, name: str) -> Optional[str]:
    """An argument that is text; None if it is absent or null.

    :raises BadCommand: it is something else.
    """
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise BadCommand("%r is to be text" % name)
    return value


def list_argument(arguments: Arguments, name: str) -> Optional[list[str]]:
    """An argument that is text or a list of texts; None if it is absent.

    :raises BadCommand: it is something else.
    """
    value = arguments.get(name)
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) for one in values):
        raise BadCommand("%r is to be text, or a list of texts" % name)
    return values


def choice_argument(arguments: Arguments, name: str, allowed: Sequence[str]) -> Optional[str]:
    """An argument that is one of some words; None if it is absent.

    :raises BadCommand: it is something else.
    """
    value = text_argument(arguments, name)
    if value is not None and value not in allowed:
        raise BadCommand("%r is to be one of: %s" % (name, ", ".join(allowed)))
    return value


def flag_argument(arguments: Arguments, name: str) -> bool:
    """An argument that is true or false; False if it is absent.

    :raises BadCommand: it is something else.
    """
    value = arguments.get(name, False)
    if not isinstance(value, bool):
        raise BadCommand("%r is to be true or false" % name)
    return value


def pid_argument(arguments: Arguments, name: str) -> Optional[int]:
    """An argument that is a pid; None if it is absent.

    :raises BadCommand: it is something else.
    """
    value = arguments.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise BadCommand("%r is to be a pid" % name)
    return value
