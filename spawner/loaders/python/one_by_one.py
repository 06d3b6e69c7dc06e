"""How a worker without threads carries out requests: itself, one after the other."""

from typing import Any, Callable

from . import wsgi
from .originals import Connection
from .request import RequestReader
from .scoreboard import Slot


class OneByOne:
    """Serves each connection before the next one is taken. `limit`: after so many requests the worker is to be told."""

    def __init__(self, slot: Slot, reader: RequestReader, application: Callable[..., Any], limit: int) -> None:
        self.limit = limit
        self._slot = slot
        self._reader = reader
        self._application = application

    @property
    def taken(self) -> int:
        """How many requests the worker has taken."""
        return self._slot.requests

    def serve(self, connection: Connection, waited: bool) -> bool:
        """Serve and close `connection`. `waited` as in `wsgi.serve`. Returns whether the worker has to look around."""
        slot = self._slot
        slot.begin()
        try:
            served = wsgi.serve(connection, self._reader, self._application, slot.cell, waited)
        finally:
            connection.close()
        slot.end(served)
        return slot.requests >= self.limit

    def has_room(self) -> bool:
        """Whether a connection can be taken."""
        return True

    def is_busy(self) -> bool:
        """Whether a request is being served beside the one who asks."""
        return False
