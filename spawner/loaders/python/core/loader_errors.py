"""What goes wrong in a hosted app's process, typed by whose fault it is.

Each kind is turned into an answer in one place: in `wsgi.handler` for a request, in `preloader` for the control line.
"""


class ClientLeft(ConnectionError):
    """The client (or httpd for it) closed the connection: nobody is there to be answered.

    An OSError, so that frameworks which expect a failing `wsgi.input` or write() know it.
    """

    __module__ = "jumpseat"  # as apps' tracebacks show it


class TooLate(Exception):
    """Nobody's fault: the request waited in the queue until its peer gave up. The app does not get it."""


class BadRequest(Exception):
    """The peer's fault: what it sent is no request as docs/protocol.md, section 2, has it.

    `status`: the answer, such as `400 Bad Request`; `framed`: whether the answer is to be framed.
    """

    def __init__(self, reason: str, status: str = "400 Bad Request", framed: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.framed = framed


class InvalidResponse(ValueError):
    """The app's fault: PEP 3333 or HTTP does not allow its response."""

    __module__ = "jumpseat"  # as apps' tracebacks show it


class LoadFailure(Exception):
    """The app's fault: it cannot be loaded.

    `step`: which step failed, one of start_steps.OF_LOADERS; `summary`: one line; `traceback`: the app's own frames,
    if any.
    """

    def __init__(self, step: str, summary: str, traceback: str = "") -> None:
        super().__init__(summary)
        self.step = step
        self.summary = summary
        self.traceback = traceback


class LineClosed(Exception):
    """The other end of the control line is closed: the process ends as if told to retire."""


class UnexpectedMessage(Exception):
    """The spawner's fault: a message that this process cannot accept in its state."""
