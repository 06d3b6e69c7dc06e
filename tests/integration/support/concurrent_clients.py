"""Many keep-alive clients at once, and what went wrong for any of them."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from support.client import Answer, Client
from support.httpd import Httpd


@dataclass(frozen=True)
class TimedAnswer:
    """One answer: when its request was begun (CLOCK_MONOTONIC, seconds) and what came."""

    begun: float
    answer: Answer


class ConcurrentClients:
    """Clients that send one request after the other while the `with` block runs.

    A server may close a kept connection that is idle at any time (RFC 9112, 9.3.1), so a request that was the first
    to find this out is sent again on a fresh connection, once, where `idle_close_is_fine`. Everything else that is not
    an answer with status 200 is a failure.
    """

    def __init__(
        self, server: Httpd, clients: int, paths: list[str], pause: float = 0.02, idle_close_is_fine: bool = False
    ) -> None:
        self.failures: list[str] = []
        self.answers: list[TimedAnswer] = []
        self._server, self._paths, self._pause = server, paths, pause
        self._idle_close_is_fine = idle_close_is_fine
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(clients)]

    def __enter__(self) -> ConcurrentClients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        with self._server.client() as client:
            turn = number
            while not self._ended.wait(self._pause):
                turn += 1
                self._ask(client, self._paths[turn % len(self._paths)])

    def _ask(self, client: Client, path: str) -> None:
        begun = time.monotonic()
        try:
            answer = self._exchange(client, path)
        except (OSError, http.client.HTTPException) as error:
            client.close()
            self.failures.append(f"{path}: {error!r}")
            return
        if answer.status != 200:
            self.failures.append(f"{path}: {answer.status} {answer.reason} {answer.body[:200]!r}")
        self.answers.append(TimedAnswer(begun, answer))

    def _exchange(self, client: Client, path: str) -> Answer:
        was_kept = client.kept
        body = b"x" * 65536 if path.startswith("/echo") else None
        method = "POST" if body else "GET"
        try:
            return client.request(method, path, body)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not (was_kept and self._idle_close_is_fine):
                raise
            client.close()
            return client.request(method, path, body)
