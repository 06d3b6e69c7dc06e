"""The child of httpd that serves a whole test file: afterwards it is the same, and holds what it held before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Counter, Sequence

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


@dataclass
class HttpdChild:
    """The only child of a server (see ONE_CHILD), and the descriptors that it has without a connection."""

    server: Httpd
    pid: int
    descriptors: Counter[str]

    def check_unchanged(self) -> None:
        """What has changed is told once: the next test is judged by itself."""
        if not open_descriptors(self.pid):
            ended = self.pid
            (self.pid,) = serving_children(self.server)
            raise AssertionError(f"httpd's child {ended} has ended")
        try:
            eventually(
                lambda: not self._grown(), lambda: "\n".join(["descriptors to close:", *self._grown()]), _CLOSING
            )
        except DeadlinePassed:
            self.descriptors = open_descriptors(self.pid)
            raise

    def _grown(self) -> list[str]:
        return growth(self.descriptors, open_descriptors(self.pid))


def serving_children(server: Httpd) -> list[int]:
    """Without the one that starts scripts (mod_cgid), which has one thread."""
    return [each.pid for each in server.children("apache2") if each.num_threads() > 1]


def warm_child(server: Httpd, asks: Sequence[Callable[[], object]]) -> HttpdChild:
    """The child of a server that has just started, after some requests of each kind."""
    running = [Background(ask) for ask in asks for _ in range(_WARM)]
    for each in running:
        each.result()
    eventually(lambda: not server.connections(), "the end of all connections")
    (pid,) = serving_children(server)
    return HttpdChild(server, pid, open_descriptors(pid))
