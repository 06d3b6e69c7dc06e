"""One client's connection of HTTP/2."""

from __future__ import annotations

from load.connection import SILENCE, CutAnswer, NotAnswered
from load.kinds import Request
from support.http2 import Http2Connection, StreamEnded


class Http2:
    """One stream after the other on one connection, until the server says that it is going away."""

    protocol = "HTTP/2"
    cookie = ""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: Http2Connection | None = None

    def exchange(self, request: Request) -> tuple[int, bytes]:
        connection = self._connected()
        try:
            answer = self._exchange(connection, request)
        except BaseException:
            self.close()
            raise
        return answer

    def _connected(self) -> Http2Connection:
        """The connection that there is, if it has taken no leave; every client looks before it asks."""
        if self._connection is not None:
            try:
                self._connection.take_in()
            except (OSError, EOFError, StreamEnded):
                self.close()
        if self._connection is not None and self._connection.is_going_away:
            self.close()
        if self._connection is None:
            self._connection = Http2Connection(self._port, silence=SILENCE)
        return self._connection

    @staticmethod
    def _exchange(connection: Http2Connection, request: Request) -> tuple[int, bytes]:
        has_body = request.method == "POST"
        try:
            connection.ask(request.method, request.target, request.host, request.fields, has_body)
            if has_body:
                connection.send_body(request.pieces)
            return connection.read_answer()
        except StreamEnded as error:
            if error.refused:
                raise NotAnswered(error, True) from error
            raise CutAnswer(repr(error)) from error
        except TimeoutError:
            raise
        except (OSError, EOFError) as error:
            if connection.is_amid_answer:
                raise CutAnswer(repr(error)) from error
            raise NotAnswered(error, connection.answered > 0) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
