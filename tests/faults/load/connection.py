"""One client's connection: requests go out, answers are read to their end or are cut."""

from __future__ import annotations

import http.client
import select
import socket

from load.kinds import Request

#: Seconds without a byte after which a client gives up.
SILENCE = 30.0


class NotAnswered(Exception):
    """The connection ended before the first byte of an answer.

    `idle`: the connection had answered before. A server may close a kept connection at any time while it is idle
    (RFC 9112, 9.3.1), so the request and the close may have crossed.
    """

    def __init__(self, error: Exception, idle: bool) -> None:
        super().__init__(repr(error))
        self.idle = idle


class Connection:
    """Connects when first used, and again after `close`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._answered = 0
        #: Name and value of the cookie that came with the last answer, if one came.
        self.cookie = ""

    def exchange(self, request: Request) -> tuple[int, bytes]:
        """Send a request, read the whole answer: status and body. Retries nothing.

        Raises NotAnswered, http.client.HTTPException for an answer that is cut or no HTTP, OSError for a reset amid it.
        """
        if self._has_ended():
            self.close()
        if self._socket is None:
            self._connect()
        refused = self._send(request)
        response = http.client.HTTPResponse(self._socket)  # type: ignore[arg-type]
        try:
            try:
                response.begin()
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
                raise NotAnswered(refused or error, self._answered > 0) from error
            body = response.read()
        except BaseException:
            response.close()
            self.close()
            raise
        self._answered += 1
        self.cookie = (response.getheader("Set-Cookie") or "").partition(";")[0]
        if response.will_close or refused is not None:
            self.close()
        return response.status, body

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=SILENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answered = 0

    def _has_ended(self) -> bool:
        """Whether the server has closed the kept connection, which every client sees before it sends anything."""
        return self._socket is not None and bool(select.select([self._socket], [], [], 0)[0])

    def _send(self, request: Request) -> OSError | None:
        """Send all of it. A server that has heard enough may have answered all the same: the error is returned."""
        assert self._socket is not None
        try:
            self._socket.sendall(request.head)
            for piece in request.pieces:
                self._socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError) as error:
            return error
        return None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
