"""Requests that are looked at one by one: is the page right, and which worker answered?"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.scenarios import Scenario

START_SECONDS = 60  # for an app to be loaded
UNEVEN = 4  # times as many requests as workers would need if each served as many as the others


@dataclass
class Answers:
    """What came back.

    :ivar by_worker: right answers by the process that the app ran in.
    :ivar wrong: answers that were not right, and requests without an answer.
    """

    by_worker: Counter[str] = field(default_factory=Counter)
    wrong: int = 0


def check_page(port: int, scenario: Scenario) -> None:
    """Get the page once.

    :raises RuntimeError: it is not what it must look like.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    connection.request("GET", scenario.path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if not scenario.is_right(answer.status, body):
        raise RuntimeError("wrong answer: %d %r" % (answer.status, body[:2000]))


class EachWorker:
    """Load until each worker has served so many requests.

    The app waits in each of them, and there are twice as many connections as workers: so all workers are always busy,
    and no server gives most of the requests to the first of them.

    :param each: requests.
    """

    def __init__(self, port: int, scenario: Scenario, workers: int, each: int) -> None:
        self._port, self._scenario = port, scenario
        self._workers, self._each = workers, each
        self._answers = Answers()
        self._sent = 0
        self._lock = threading.Lock()

    def run(self) -> Answers:
        """Send them.

        :raises RuntimeError: a worker has served too few, although there were enough for all.
        """
        threads = [threading.Thread(target=self._client) for _ in range(2 * self._workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not self._enough():
            raise RuntimeError("requests by worker: %s" % dict(self._answers.by_worker))
        return self._answers

    def _enough(self) -> bool:
        served = self._answers.by_worker
        return len(served) >= self._workers and min(served.values()) >= self._each

    def _client(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=START_SECONDS)
        deadline = time.monotonic() + START_SECONDS
        while True:
            with self._lock:
                # New workers may still be on their way: so it is time that counts at first.
                many = self._sent > UNEVEN * self._each * self._workers and time.monotonic() > deadline
                if many or self._enough():
                    break
                self._sent += 1
            self._count(connection)
        connection.close()

    def _count(self, connection: http.client.HTTPConnection) -> None:
        try:
            connection.request("GET", self._scenario.path, headers={"X-Worker": "which"})
            answer = connection.getresponse()
            right = self._scenario.is_right(answer.status, answer.read())
            worker = answer.headers["X-Worker"]
        except (OSError, http.client.HTTPException):
            connection.close()  # the next request opens it again
            right, worker = False, None
        with self._lock:
            if right and worker:
                self._answers.by_worker[worker] += 1
            else:
                self._answers.wrong += 1
