"""Clients that ask one request after the other while a `with` block runs."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Sequence

from load.connection import Connection, CutAnswer, NotAnswered
from load.http1 import Http1
from load.http2 import Http2
from load.kinds import MIXED, Kind
from load.outcome import ANSWERED, CLOSED_WHILE_IDLE, FAILED, Outcome, Result
from load.request_log import RequestLog
from support.waiting import eventually

#: Seconds that the clients have to end after the block; what hangs longer is a failure.
PATIENCE_AT_END = 60.0


class Load:
    """Every second client keeps its connection, the others make one for each request; those beyond speak HTTP/2.

    Nothing is retried.
    """

    def __init__(
        self,
        port: int,
        events: Path,
        kinds: Sequence[Kind] = MIXED,
        clients: int = 10,
        pause: float = 0.01,
        host: str = "site.example",
        sticky: bool = False,
        http2: tuple[int, int] = (0, 0),
    ) -> None:
        """`events`: the app's, with its request log. `pause`: seconds between an answer and that client's next request.

        `sticky`: each client shows the cookie that it was given last (not over HTTP/2). `http2`: so many clients more
        speak HTTP/2 without TLS, to that port.
        """
        self._events, self._host = events, host
        self._kinds, self._pause, self._sticky = kinds, pause, sticky
        self._connections: list[Connection] = [Http1(port, number % 2 == 0) for number in range(clients)]
        self._connections += [Http2(http2[1]) for _ in range(http2[0])]
        self._over = threading.Event()
        self._outcomes: list[list[Outcome]] = [[] for _ in self._connections]
        self._running: dict[int, Outcome] = {}
        self._name = f"{id(self):x}"
        self._threads = [
            threading.Thread(target=self._run, args=(number, connection), daemon=True)
            for number, connection in enumerate(self._connections)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        deadline = time.monotonic() + PATIENCE_AT_END
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def done(self) -> int:
        """How many requests have come to an end so far."""
        return sum(map(len, self._outcomes))

    def outcomes(self) -> list[Outcome]:
        """Those that have come to an end so far."""
        return [outcome for some in self._outcomes for outcome in some]

    def by_client(self) -> list[list[Outcome]]:
        """The same, by client and in order."""
        return [list(outcomes) for outcomes in self._outcomes]

    def running(self) -> list[Outcome]:
        """Those that wait for their answer."""
        return list(self._running.values())

    def wait_for_more(self, count: int, seconds: float = 60) -> None:
        """Let the load go on until so many more requests have come to an end."""
        wanted = self.done + count
        eventually(lambda: self.done >= wanted, f"{count} more requests under load", seconds)

    def result(self) -> Result:
        """What became of all requests; after the block.

        A request whose idle connection was closed counts as such only if it is not in the app's request log.
        """
        outcomes = self.outcomes()
        for outcome in self.running():
            outcome.seconds = time.monotonic() - outcome.begun
            outcome.detail = "still without an answer at the end"
            outcomes.append(outcome)
        begun = RequestLog(self._events).times_begun()
        for outcome in outcomes:
            if outcome.result == CLOSED_WHILE_IDLE and begun[outcome.identity]:
                outcome.result = FAILED
                outcome.detail += ", though the app has begun it"
        ours = {outcome.identity for outcome in outcomes}
        return Result(outcomes, [identity for identity, times in begun.items() if times > 1 and identity in ours])

    def _run(self, number: int, connection: Connection) -> None:
        turn, route = number, ""
        while not self._over.wait(self._pause):
            turn += 1
            kind = self._kinds[turn % len(self._kinds)]
            if self._sticky:
                kind = replace(kind, cookie=route)
            outcome = Outcome(kind, f"{self._name}-{number}-{turn}", time.monotonic(), connection.protocol)
            self._running[number] = outcome
            self._ask(connection, outcome)
            outcome.seconds = time.monotonic() - outcome.begun
            outcome.route = route = connection.cookie or route
            self._outcomes[number].append(self._running.pop(number))
        connection.close()

    def _ask(self, connection: Connection, outcome: Outcome) -> None:
        request = outcome.kind.request(outcome.identity, self._host)
        try:
            status, body = connection.exchange(request)
        except NotAnswered as error:
            outcome.result = CLOSED_WHILE_IDLE if error.idle else FAILED
            outcome.detail = f"no answer: {error}"
        except (OSError, CutAnswer) as error:
            outcome.detail = repr(error)
        else:
            outcome.detail = complaint(outcome, status, body, request.content)
            outcome.result = FAILED if outcome.detail else ANSWERED


def complaint(outcome: Outcome, status: int, body: bytes, content: bytes) -> str:
    """What is wrong with an answer; notes who has given it."""
    if status != 200:
        return f"status {status}"
    if not outcome.kind.by_app:
        return "" if body == content else f"{len(body)} bytes, not the {len(content)} right ones: {body[:80]!r}"
    first, _, rest = body.partition(b"\n")
    words = first.decode(errors="replace").split()
    if len(words) != 4 or words[1] != outcome.identity:
        return f"the answer to another request: {body[:80]!r}"
    outcome.release, outcome.pid = words[2], int(words[3])
    return "" if rest == content else f"{len(rest)} bytes, not the {len(content)} right ones: {rest[:80]!r}"
