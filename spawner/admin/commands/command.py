"""What a command of the admin socket is, and who asks for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Protocol

# Sends one line of progress, and waits until the peer takes it.
SendProgress = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Caller:
    """Whoever is at the other end of a connection, by the kernel's word (SO_PEERCRED, unix(7)).

    :ivar privileged: root or the spawner's own user: sees and controls every app. Others: those that run as them.
    """

    uid: int
    privileged: bool

    def may_use(self, owner: int) -> bool:
        """Whether an app that runs as this user is the caller's to see and to control."""
        return self.privileged or owner == self.uid


class Command(Protocol):
    """One command."""

    async def run(self, question: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """The fields of the answer, without `ok`. Cancelled when the caller leaves: that ends a wait only.

        :param question: what was asked, as it came; its fields are not checked yet.
        :raises Refusal: what is asked for is not possible, not there, or not the caller's.
        """
