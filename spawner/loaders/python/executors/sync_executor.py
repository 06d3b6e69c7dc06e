"""The executor of a worker without threads: one request after the other, in the main thread."""

from typing import Any, Callable

from ..core.listeners import Listeners
from ..core.scoreboard_writer import SlotWriter
from ..core.unpatched import Connection
from ..wsgi import handler
from ..wsgi.request import RequestReader


class SyncExecutor:
    """Handles each connection before the worker accepts the next one.

    `limit`: after so many requests `execute` tells the worker to look at `started`.
    """

    def __init__(
        self,
        slot: SlotWriter,
        reader: RequestReader,
        application: Callable[..., Any],
        limit: int,
        listeners: Listeners,
        kept_end: bytes,
    ) -> None:
        """`kept_end`: as in `handler.handle`."""
        self.limit = limit
        self._slot = slot
        self._reader = reader
        self._application = application
        self._listeners = listeners
        self._kept_end = kept_end

    @property
    def started(self) -> int:
        """How many requests have started."""
        return self._slot.requests

    def execute(self, connection: Connection, was_queued: bool, may_keep: bool) -> bool:
        """Handle `connection`, and close it unless it is kept; return whether the worker's state has changed.

        `was_queued`: as in `handler.handle`.
        """
        slot = self._slot
        slot.request_started()
        outcome = 0
        try:
            kept_end = self._kept_end if may_keep else b""
            outcome = handler.handle(connection, self._reader, self._application, slot.cell, was_queued, kept_end)
        finally:
            if outcome & handler.KEPT:
                self._listeners.keep(connection)
            else:
                self._listeners.close(connection)
        slot.request_finished(bool(outcome))
        return slot.requests >= self.limit

    def has_capacity(self) -> bool:
        """Whether a connection can be accepted."""
        return True

    def is_busy(self) -> bool:
        """Whether a request is being handled: not while somebody can ask, for there is one thread."""
        return False
