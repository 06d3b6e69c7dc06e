"""The table of those that are measured: each server, and the variants of it that could be faster or smaller."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from bench.scenarios import Runtime, Scenario
from bench.servers.base import MeasuredServer
from bench.servers.beside_httpd import KEPT, NOT_KEPT, Gunicorn, Puma, Unicorn, Uwsgi
from bench.servers.in_httpd import Jumpseat, ModWsgi, PhusionPassenger, ProxyScgi, StaticFile


class Kind(enum.Enum):
    """What a contestant stands for in a comparison."""

    LIMIT = "the limit"
    OURS = "this project"
    VARIANT = "this project, not as it comes"
    PEER = "a peer"


class Measure(enum.Flag):
    """What is measured."""

    SPEED = enum.auto()
    MEMORY = enum.auto()
    BOTH = SPEED | MEMORY


@dataclass(frozen=True)
class Contestant:
    """One server with its settings.

    :ivar name: for PEERS=.
    :ivar title: for people.
    :ivar options: of the server's class.
    """

    name: str
    title: str
    kind: Kind
    measure: Measure
    runtimes: tuple[Runtime, ...]
    server: type[MeasuredServer]
    options: Mapping[str, Any]

    def make(self, scenario: Scenario, workers: int) -> MeasuredServer:
        """A server of this kind, not yet started."""
        return self.server(scenario, workers, **self.options)

    def missing(self) -> Optional[str]:
        """The package that has to be installed first, if any."""
        return next((package for package, path in self.server.needs.items() if not os.path.exists(path)), None)

    def takes_part(self, scenario: Scenario, measure: Measure) -> bool:
        """Whether it is measured in this comparison."""
        serves = scenario.times is None or not self.server.hello_only
        return serves and scenario.runtime in self.runtimes and measure in self.measure


OURS, VARIANT, PEER = Kind.OURS, Kind.VARIANT, Kind.PEER
SPEED, MEMORY, BOTH = Measure.SPEED, Measure.MEMORY, Measure.BOTH
ANY = tuple(Runtime)
PYTHON, RUBY = (Runtime.PYTHON,), (Runtime.RUBY,)

CONTESTANTS = (
    Contestant("static", "a static file, served by httpd alone", Kind.LIMIT, SPEED, ANY, StaticFile, {}),
    Contestant("jumpseat", "Jumpseat", OURS, BOTH, ANY, Jumpseat, {}),
    Contestant("jumpseat-direct", "Jumpseat, `PassengerSpawnMethod direct`", VARIANT, MEMORY, PYTHON, Jumpseat,
               {"more": ("PassengerSpawnMethod direct",)}),
    Contestant("scgi", "mod_proxy_scgi in front of Jumpseat's workers", VARIANT, SPEED, PYTHON, ProxyScgi, {}),
    Contestant("uwsgi", "uWSGI + mod_proxy_uwsgi", PEER, BOTH, PYTHON, Uwsgi, {}),
    Contestant("gunicorn", "gunicorn sync + mod_proxy_http", PEER, BOTH, PYTHON, Gunicorn, {}),
    Contestant("gunicorn-preload", "gunicorn sync `--preload`", PEER, MEMORY, PYTHON, Gunicorn,
               {"flags": ("--preload",)}),
    Contestant("mod_wsgi", "mod_wsgi daemon, 1 thread", PEER, BOTH, PYTHON, ModWsgi, {}),
    Contestant("puma-1", "Puma, 1 thread", PEER, SPEED, RUBY, Puma, {"threads": 1, "proxy": NOT_KEPT}),
    Contestant("puma-1-direct", "Puma, 1 thread, `queue_requests false`", PEER, SPEED, RUBY, Puma,
               {"threads": 1, "proxy": NOT_KEPT, "more": ("queue_requests false",)}),
    Contestant("puma-5", "Puma, 5 threads", PEER, BOTH, RUBY, Puma, {"threads": 5, "proxy": NOT_KEPT}),
    Contestant("puma-5-kept", "Puma, 5 threads, `wait_for_less_busy_worker 0`, kept connections", PEER, SPEED, RUBY,
               Puma, {"threads": 5, "proxy": KEPT, "more": ("wait_for_less_busy_worker 0",)}),
    Contestant("puma-compact", "Puma, 1 thread, `nakayoshi_fork`", PEER, MEMORY, RUBY, Puma,
               {"threads": 1, "proxy": NOT_KEPT, "more": ("nakayoshi_fork",)}),
    Contestant("unicorn", "Unicorn", PEER, BOTH, RUBY, Unicorn, {}),
    Contestant("passenger", "Phusion Passenger", PEER, BOTH, ANY, PhusionPassenger, {}),
    Contestant("passenger-fast", "Phusion Passenger, `PassengerHighPerformance on`", PEER, SPEED, ANY,
               PhusionPassenger, {"more": ("PassengerHighPerformance on",)}),
)  # fmt: skip


def chosen(scenario: Scenario, measure: Measure, words: tuple[str, ...]) -> list[Contestant]:
    """Those that take part in a comparison; this project always does.

    :param words: parts of the names of the others, or none for all.
    """
    candidates = [contestant for contestant in CONTESTANTS if contestant.takes_part(scenario, measure)]
    return [
        contestant
        for contestant in candidates
        if contestant.kind is OURS or not words or any(word in contestant.name for word in words)
    ]
