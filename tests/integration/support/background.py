"""Requests that run beside the test."""

from __future__ import annotations

import threading
from typing import Callable, Generic, TypeVar

Value = TypeVar("Value")


class Background(Generic[Value]):
    """Runs `work` in a thread; `result` waits for it, and raises what it raised."""

    def __init__(self, work: Callable[[], Value]) -> None:
        self._work = work
        self._value: Value | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001 - passed on to who asks for the result
            self._error = error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self, seconds: float = 60) -> Value:
        self._thread.join(seconds)
        assert self.done, "the work in the background has not ended"
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]
