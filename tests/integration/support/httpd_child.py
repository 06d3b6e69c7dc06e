"""The child of httpd that serves a whole test file: afterwards it is the same, and holds what it held before."""

from __future__ import annotations

from typing import Callable, Sequence

from support.background import Background
from support.descriptors import growth, open_descriptors
from support.httpd import Httpd
from support.waiting import DeadlinePassed, eventually

#: One child, whatever is asked of it: httpd starts more when many connections are about to end.
ONE_CHILD = """\
ServerLimit 1
MaxRequestWorkers 64
MinSpareThreads 1
"""
#: Requests at once after which all is there that is made when it is first needed.
_WARM = 16
#: Seconds in which what is closing has to be closed; a deadline, which only a leak makes use of.
_CLOSING = 10.0


class HttpdChild:
    """The only child of a server that has just started (see ONE_CHILD), and its descriptors without a connection.

    `asks`: requests of each kind, which make all that is made when it is first needed.
    """

    def __init__(self, server: Httpd, asks: Sequence[Callable[[], object]]) -> None:
        self._server = server
        self._asks = asks
        self._look()

    def _look(self) -> None:
        running = [Background(ask) for ask in self._asks for _ in range(_WARM)]
        for each in running:
            each.result()
        eventually(lambda: not self._server.connections(), "the end of all connections")
        (self.pid,) = serving_children(self._server)
        self._descriptors = open_descriptors(self.pid)

    def check_unchanged(self, may_have_crashed: bool = False) -> None:
        """What has changed is told once: the next test is judged by itself.

        `may_have_crashed`: httpd without our module crashes, too. The next child is judged from here on.
        """
        if not open_descriptors(self.pid):
            ended = self.pid
            self._look()
            assert may_have_crashed, f"httpd's child {ended} has ended"
        try:
            eventually(
                lambda: not self._grown(), lambda: "\n".join(["descriptors to close:", *self._grown()]), _CLOSING
            )
        except DeadlinePassed:
            self._descriptors = open_descriptors(self.pid)
            raise

    def _grown(self) -> list[str]:
        return growth(self._descriptors, open_descriptors(self.pid))


def serving_children(server: Httpd) -> list[int]:
    """Without the one that starts scripts (mod_cgid), which has one thread."""
    return [each.pid for each in server.children("apache2") if each.num_threads() > 1]
